// Package phone knows what Cisco 7940/7960 phones want, as pure data and functions: hardware addresses, the names of
// the files that they ask for, the firmware names and the upgrade ladder, the .cnf and XML writers, the parameter
// catalogue, the time zones that they can express and the steps that they take while they boot.
//
// It imports the standard library and golang.org/x alone, has no state and no clock, and is shared by the services,
// the appliance and the virtual phone.
package phone
