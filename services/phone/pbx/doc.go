// Package pbx knows what the telephone systems and providers that people use want of these phones: which settings of a site
// fit them, and what has to stand on their side. It is data and functions; nothing is sent anywhere.
package pbx
