// Command bench measures, on a real ensemble of three servers on this machine, how close
// the election comes to what ZooKeeper itself takes: the floor. Each floor is measured in
// the same run as what it is the floor of, in turn, with bare connections of the zk
// package, so that a noisy machine touches both.
//
//	go run ./internal/bench                      # every row, some minutes
//	go run ./internal/bench -rows handover,join  # some rows
//
// It prints Markdown tables; recipe/docs/performance.md keeps those of one run. Exact
// counts are tested too, beside it. Absolute times are the machine's; ratios travel.
package main
