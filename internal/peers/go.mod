module github.com/zkrecipe/zkrecipe/internal/peers

go 1.26.0

require (
	github.com/go-zookeeper/zk v1.0.4
	github.com/zkrecipe/zkrecipe v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.49.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
)

replace github.com/zkrecipe/zkrecipe => ../..
