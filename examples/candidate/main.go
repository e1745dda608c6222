// Candidate is one candidate of a leader election as a process, for shells, supervisors and fault
// tests:
//
//	go run ./examples/candidate -zk 127.0.0.1:2181 -path /billing -id alice
//
// It prints one JSON object a line, unbuffered: {"t": ..., "id": "alice", "event": ...}. The clock
// of t is CLOCK_MONOTONIC in nanoseconds, so the lines of several candidates on one machine can be
// put in order. While it leads it beats: each "beat" is stamped right after the term said that it
// was valid, so beats of two candidates never interleave.
//
// The events are session, joined, heir, takeover, withheld, elected, beat, suspended, deposed,
// leader, error and left. On stdin "resign" steps down and joins the line again, "quit" leaves.
// SIGTERM and SIGINT leave too: the candidate resigns, deletes its znode, closes its session and
// exits with 0 within 5 seconds, whether or not the ensemble answers. Without -zk the candidate is
// alone, on servers in its own process.
package main

import (
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/example"
)

func main() { candidate.Main(example.New("candidate", "/zkrecipe/example", 15*time.Second, 0)) }
