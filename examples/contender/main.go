// Contender is one process that wants a lock or a permit, for shells, supervisors and fault tests:
//
//	go run ./examples/contender                                        a lock in this process, until told otherwise
//	go run ./examples/contender -zk 127.0.0.1:2181 -path /l -id alice
//	go run ./examples/contender -zk 127.0.0.1:2181 -recipe read -hold 50ms -rest 10ms -times 100
//	go run ./examples/contender -zk 127.0.0.1:2181 -path /l,/m         two locks at once
//	go run ./examples/contender -zk 127.0.0.1:2181 -recipe semaphore -size 5 -permits 3
//	go run ./examples/contender -zk 127.0.0.1:2181 -path /l -write /registers   writes /registers/l
//
// It prints one JSON object a line, unbuffered: {"t": ..., "id": "alice", "event": ...}. The clock
// of t is CLOCK_MONOTONIC in nanoseconds, so the lines of several contenders on one machine can be
// put in order. While it holds the lock it beats: each "beat" is stamped right after Valid said
// yes, so beats of two holders never interleave (those of two readers, or of two permits, may).
//
// The events are
//
//	session    session, timeout_ms, lease_ms: connected
//	waiting    nothing: it asks for the lock
//	entered    node: of a semaphore, it stands in line, because no permit was free
//	abandoned  node: it has left the line there without a permit
//	takeover   node: the one ahead was silent for longer than its lease, and this znode of it was deleted
//	withheld   node (its own; none for a semaphore): it is next, but a former holder's lease may still run
//	acquired   token, deadline, node; of a permit also its slot, unless -slots=false; of several
//	           permits how many (permits), and their slots
//	beat       token, deadline: it held the lock at t
//	downgraded token, deadline, node: after "released", the writer is a reader from now on
//	revoked    token: somebody asks to release the lock; "released" follows
//	lost       token, reason: the lock is over, and this was not its own choice
//	released   token: its work has stopped; only now it begins to release the lock
//	resizing   size: it begins to change how many permits there are
//	resized    size: this has succeeded
//	read       began, found, left: with -write, a reader has read the register twice: at first it
//	           found one value, and then the other. began is when the first read began
//	writing    began, found, left: with -write, it has read found, and is about to write left
//	wrote      began, found, left, outcome: ok, refused, or unknown if the answer was lost
//	busy       nothing: with -try, another has the lock
//	error      error: an attempt failed, a persistent znode is ahead, or something else is wrong
//	left       nothing: it does not hold the lock, nor ask for it, and ends
//
// With several paths, acquired, beat, lost, released, read, writing and wrote are written once for
// each lock, and tell its path, too. So does revoked, once. If one of the locks is lost, the others
// are released.
//
// No other line waits for entered, abandoned, takeover, withheld and error: one of these may come
// shortly after "acquired".
//
// The register of a lock is a znode that its holders write by Multi, in place of what they have
// read. So no write is lost, whatever happens to a holder between its read and its write. After a
// write whose outcome is unknown a holder writes no more: the servers may carry that one out later
// than the next. No value is written twice.
//
// On stdin "release" ends what is held, "acquire" asks for the lock at once, "quit" leaves.
// "downgrade" makes a writer a reader. "revoke" asks the holders to release the lock, and
// "resize 3" changes the semaphore to three permits. SIGTERM and SIGINT leave too: the contender
// releases the lock, closes its session and exits with 0 within 5 seconds, whether or not the
// ensemble answers.
package main

func main() {
	p := newProgram()
	p.Main(p.check, p.run)
}
