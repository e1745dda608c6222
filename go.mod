module github.com/zkrecipe/zkrecipe

go 1.26

require (
	github.com/cenkalti/backoff/v4 v4.3.0
	github.com/go-zookeeper/zk v1.0.4
)
