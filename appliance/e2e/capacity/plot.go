package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// plot draws lines as an SVG that needs nothing else.
func plot(title, xName, yName string, lines []line) string {
	const width, height, left, top, right, bottom = 800, 400, 60, 40, 170, 50
	colours := []string{"#0b6e99", "#b5502a", "#4b7f33", "#6d4a8c"}
	var xMax, yMax float64
	for _, l := range lines {
		if len(l.x) > 0 {
			xMax, yMax = max(xMax, slices.Max(l.x)), max(yMax, slices.Max(l.y))
		}
	}
	xStep, yStep := tick(xMax), tick(yMax)
	xMax, yMax = max(xMax, xStep), math.Ceil(yMax/yStep+0.001)*yStep
	px := func(v float64) float64 { return left + v/xMax*(width-left-right) }
	py := func(v float64) float64 { return height - bottom - v/yMax*(height-top-bottom) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/><text x="%d" y="24" font-size="15">%s</text>`+"\n", width, height, left, html.EscapeString(title))
	for v := 0.0; v <= yMax*1.0001; v += yStep {
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, py(v), width-right, py(v), left-6, py(v)+4, number(v))
	}
	for v := 0.0; v <= xMax*1.0001; v += xStep {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", px(v), height-bottom+18, number(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text><text x="%d" y="%d">%s</text>`+"\n",
		(left+width-right)/2, height-10, html.EscapeString(xName), 10, top-4, html.EscapeString(yName))
	for i, l := range lines {
		var points strings.Builder
		for j := range l.x {
			fmt.Fprintf(&points, "%.1f,%.1f ", px(l.x[j]), py(l.y[j]))
		}
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`+"\n", colour, strings.TrimSpace(points.String()))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", width-right+10, top+16+20*i, colour, html.EscapeString(l.name))
	}
	return b.String() + "</svg>\n"
}

// tick is a round distance of which four to ten go into a range.
func tick(most float64) float64 {
	if most <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, f := range []float64{0.1, 0.2, 0.5, 1} {
		if most/(step*f) <= 10 {
			return step * f
		}
	}
	return step
}
