// Package foreign pins the libraries that the documentation shows code of, beside ours, for people
// who migrate. It is a module of its own, so that nobody who uses this library has to do with them.
package foreign

import (
	_ "go.etcd.io/etcd/client/v3/concurrency"
	_ "k8s.io/client-go/tools/leaderelection"
)
