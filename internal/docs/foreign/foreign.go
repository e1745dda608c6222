// Package foreign pins the libraries that the documentation shows code of, beside ours, for people
// who migrate. It is a module of its own, so that nobody who uses this library has to do with them.
package foreign

import (
	_ "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	_ "github.com/redis/go-redis/v9"
	_ "go.etcd.io/etcd/client/v3/concurrency"
	_ "k8s.io/client-go/tools/leaderelection"
)
