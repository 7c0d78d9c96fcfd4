package dialplan

// How a phone compares what was dialled with its rules (phones.md g.3; the order of ties is that of the related open
// code). Each rule goes along digit by digit; the one with most literally matched characters is the best, at equal
// literals exact beats "." beats "*", then the first. A best rule that is complete wins and its timeout runs; so does a
// complete rule with as many literals as an incomplete best one.

// kind is the last wildcard that a match needed; more is better.
type kind int8

const (
	wild    kind = 1 + iota // "*"
	pattern                 // "."
	exact                   // none
)

// tokenKind sorts the characters of MATCH.
type tokenKind int8

const (
	literal tokenKind = iota
	anyOne            // .
	anyMany           // *
	tone              // ,
)

type token struct {
	kind tokenKind
	char byte
}

// compiled is a rule that can be compared.
type compiled struct {
	index  int // of the rule in the plan
	rule   Rule
	tokens []token
}

func compile(match string) []token {
	var tokens []token
	for i := 0; i < len(match); i++ {
		switch c := match[i]; {
		case c == '\\' && i+1 < len(match):
			i++
			tokens = append(tokens, token{literal, match[i]})
		case c == '.':
			tokens = append(tokens, token{kind: anyOne})
		case c == '*':
			tokens = append(tokens, token{kind: anyMany})
		case c == ',':
			tokens = append(tokens, token{kind: tone})
		default:
			tokens = append(tokens, token{literal, c})
		}
	}
	return tokens
}

// compileAll readies the rules that a phone takes for its first line; the others are left out.
func compileAll(plan Plan) (rules []compiled, leftOut []int) {
	for i, r := range plan.Rules {
		if len(Check(r)) > 0 || r.Line > 1 {
			leftOut = append(leftOut, i)
			continue
		}
		rules = append(rules, compiled{i, r, compile(r.Match)})
	}
	return rules, leftOut
}

// progress is how far what was dialled has come in one rule.
type progress struct {
	pos      int8 // the next token
	literals int8 // characters that matched literally
	commas   int8 // secondary dial tones passed
	kind     kind
	star     bool // inside the "*" at pos
	dead     bool // it does not match
	ended    bool // "#" ended the dialling here
}

var start = progress{kind: exact}

// step goes on by one dialled character.
func (p progress) step(tokens []token, c byte) progress {
	if p.dead || p.ended {
		p.dead = true
		return p
	}
	if p.star {
		next := int(p.pos) + 1
		leaves := next < len(tokens) && tokens[next] == token{literal, c}
		if !leaves && c != '#' {
			return p
		}
		p.star = false
		p.pos++
	}
	for before := p.commas; int(p.pos) < len(tokens) && tokens[p.pos].kind == tone; p.pos++ {
		p.commas = before + 1 // several in a row are one
	}
	at := token{literal, 0} // behind the end, nothing fits
	if int(p.pos) < len(tokens) {
		at = tokens[p.pos]
	}
	switch {
	case at.kind == anyOne && c != '#':
		p.kind = pattern
		p.pos++
	case at.kind == anyMany && c != '#':
		p.kind = wild
		p.star = true
	case at.kind == literal && at.char == c:
		p.literals++
		p.pos++
	case c == '#':
		p.ended = true
	default:
		p.dead = true
	}
	return p
}

// complete reports whether the whole rule is matched.
func (p progress) complete(tokens []token) bool {
	return !p.dead && (int(p.pos) == len(tokens) || p.star && int(p.pos) == len(tokens)-1)
}

// wantsTone reports whether the secondary dial tone is due.
func (p progress) wantsTone(tokens []token) bool {
	return !p.dead && !p.ended && !p.star && int(p.pos) < len(tokens) && tokens[p.pos].kind == tone
}

// better reports whether p matches more than q.
func (p progress) better(q progress) bool {
	return p.literals > q.literals || p.literals == q.literals && p.kind > q.kind
}

// outcome is what a phone makes of what was dialled so far.
type outcome struct {
	best  int  // the rule that matches most, complete or not; -1 = none
	won   int  // the complete rule whose timeout runs; -1 = none
	ended bool // "#" ends the dialling
	tone  bool // a secondary dial tone is due
}

// judge finds the best rule and the one that wins. With strict, an incomplete rule holds back a complete one with as many
// literals, as phones.md g.3 can be read too; the ready-made plans must send the same with both.
func judge(rules []compiled, at []progress, strict bool) outcome {
	o := outcome{best: -1, won: -1}
	for i, p := range at {
		if p.dead {
			continue
		}
		tokens := rules[i].tokens
		o.tone = o.tone || p.wantsTone(tokens)
		switch {
		case o.best < 0 || p.better(at[o.best]):
			o.best, o.won = i, -1
			if p.complete(tokens) {
				o.won = i
			}
		case p.literals == at[o.best].literals && p.complete(tokens) && (o.won < 0 || p.kind > at[o.won].kind):
			o.won = i
		}
	}
	if o.best < 0 {
		return o
	}
	o.ended = at[o.best].ended
	if o.won >= 0 && at[o.won].kind != wild {
		o.tone = false // the number may be whole already
	}
	if strict {
		for i, p := range at {
			if o.won >= 0 && !p.dead && p.literals >= at[o.won].literals && !p.complete(rules[i].tokens) {
				o.won = -1
			}
		}
	}
	return o
}

// wait is how many seconds a phone waits for the next digit before it sends; 0 = it sends at once.
func (o outcome) wait(rules []compiled) int {
	if o.won < 0 {
		return DefaultTimeout
	}
	return rules[o.won].rule.seconds()
}

// groups returns what each run of wildcards took from what was dialled, at most MaxGroups.
func groups(tokens []token, dialled string) []string {
	var out []string
	last := -2 // the token that took the last character
	p := start
	for _, c := range []byte(dialled) {
		p = p.step(tokens, c)
		if p.dead || p.ended {
			break
		}
		took := int(p.pos) - 1
		if p.star {
			took = int(p.pos)
		}
		switch {
		case tokens[took].kind == literal:
		case took == last, tokens[took].kind == anyOne && took == last+1 && last >= 0 && tokens[last].kind == anyOne && c != '*' && c != '+':
			out[len(out)-1] += string(c)
		default:
			out = append(out, string(c))
		}
		last = took
	}
	return out[:min(len(out), MaxGroups)]
}

// rewrite makes what is sent.
func rewrite(template string, tokens []token, dialled string) string {
	if template == "" {
		return dialled
	}
	taken := groups(tokens, dialled)
	wildcards := []byte{}
	for _, g := range taken {
		wildcards = append(wildcards, g...)
	}
	var out []byte
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '.':
			if len(wildcards) > 0 {
				out, wildcards = append(out, wildcards[0]), wildcards[1:]
			}
		case c == '%' && i+1 < len(template):
			i++
			n := int(template[i]) - '1'
			switch {
			case template[i] == 's' || template[i] == '0':
				out = append(out, dialled...)
			case n >= 0 && n < len(taken):
				out = append(out, taken[n]...)
			default:
				out = append(out, template[i])
			}
		case c != '%':
			out = append(out, c)
		}
	}
	return string(out[:min(len(out), MaxDialled)])
}
