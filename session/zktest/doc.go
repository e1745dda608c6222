// Package zktest runs ZooKeeper servers inside a test, the way
// net/http/httptest runs an HTTP server. See the end of this file's package
// documentation for what is imitated and what is not.
package zktest
