// Package web is the page and the API of the box: health, phones, the site's settings, firmware, the clock; and the
// XML and the logo that phones fetch over HTTP. People log in, phones do not.
//
// It knows the box only through [Box] and the phones' files only through [PhoneFiles].
package web
