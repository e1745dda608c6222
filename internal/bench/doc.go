// Command bench measures, on a real ensemble of three servers on this machine, how close the
// election comes to what ZooKeeper itself takes: the floor. Each floor is measured in the same run
// as what it is the floor of, in turn, with bare connections of the zk package, so that a noisy
// machine touches both.
//
//	go run ./internal/bench                      # every row: 40 minutes
//	go run ./internal/bench -rows handover,join  # some rows
//
// It prints Markdown tables; recipe/docs/performance.md keeps those of one run. Tests in this
// directory check the exact counts, too. Absolute times depend on the machine. Ratios to the floor
// depend on it much less.
package main
