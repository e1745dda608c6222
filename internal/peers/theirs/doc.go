// Package theirs lets the tests of other libraries run on the servers of zktest, which their
// authors wrote with real servers in mind. What differs is in the tests of this package, with the
// reason.
package theirs
