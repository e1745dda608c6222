// Package sim searches for faults under which the election breaks a promise. It runs
// whole clusters, three servers of session/zktest and several client processes with
// the unmodified zk.Conn, in a testing/synctest bubble, where an hour takes a second. A seed
// decides everything: the cluster, what the processes do, and a plan of faults. An
// omniscient checker watches:
//
//	overlap   two terms of one election are valid at one instant
//	context   a term begins while an older one's context is not cancelled in a process that runs
//	pause     after a pause the first Valid or Err does not tell what happened meanwhile
//	token     a term's token is not larger than all before
//	drain     a znode is deleted although the work of its term has not stopped, nor DrainTimeout passed
//	guard     a guarded Multi lands after a later term has begun
//	observer  an observer sees an older leader after a newer one, or one that never was
//	liveness  after all faults have ended nobody leads within a bound
//	census    at the end a znode, a watch or a session is left
//	run       Run returns although nobody told it to
//
// A failure prints its seed and its plan, made as small as possible by leaving out one fault
// after another.
//
// To show that the search finds bugs, testdata/variants holds deliberately broken
// versions of single places in the library. Each has to be caught, on the invariant that it names,
// within a bounded number of seeds, and passes where there are no faults.
package sim
