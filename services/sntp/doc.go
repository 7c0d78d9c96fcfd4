// Package sntp answers the time to phones (RFC 5905, RFC 4330; phones.md d.1): requests to the box's address and to the
// subnet's broadcast address get a unicast answer with an honest stratum and leap indicator.
package sntp
