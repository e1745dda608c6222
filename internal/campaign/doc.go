// Package campaign breaks real ZooKeeper ensembles under real candidates and judges what the
// candidates tell.
//
//	make campaign                     20 rounds of every fault and a table of them; needs root and Debian
//	make campaign HOURS=1             one hour (the rigs' times added up) of everything at random instead
//	make campaign LEASE=200ms         with one lease of the candidates, D, in all rounds
//	go run ./internal/campaign/cmd/campaign -list    the faults
//
// # The rig
//
// A rig is three servers (tick 500 ms, syncLimit 5 s, longer than the session timeout T of 1 s to 4
// s in most faults), each in a network namespace of its own with two interfaces: one to the network
// of the clients, one to that of the quorum. So a follower can be cut from its leader and not from
// its clients. The candidates are processes (examples/candidate), each in a namespace of its own on
// the network of the clients. Several rigs work in parallel.
//
// The namespaces have no names. The campaign holds them by file descriptors, and it runs in a
// namespace of its own. So it never changes the host's network. When the campaign ends in any way,
// kill -9 included, the kernel removes namespaces, interfaces, rules and processes. After kill -9 a
// directory remains, and the next campaign removes it.
//
// For the faults that need it (7a and on) the servers' JVMs listen for a debugger, inside their
// namespaces, and the campaign stops single threads of theirs at chosen places: see package hold.
//
// # A round
//
// A round is one election with a path of its own. Candidates line up; one leads, one is heir. Then
// a fault of the table (Faults) does its work, everything is mended, and within a bound all must
// stand in line again and one of them lead. At last all are told to leave, and nothing may be left
// at the path. A round waits for signals, never for a time that is "long enough"; only faults last
// for a time.
//
// Candidates have T = 2 s and D = 500 ms, unless a fault needs others. Each round of random faults,
// of held threads and of contenders draws T (2, 4 or 8 ticks) and D (200 ms, 500 ms or T/2). The
// line for the round has both, and its seed repeats them.
//
// All that candidates tell, and all that was done to them, is one history, which package history
// judges. A history that breaks a promise is kept in a directory whose name is printed, with the
// fault's name and the seed.
//
// In the rounds 8a and on the processes are contenders (examples/contender) for a lock, a
// read-write lock, a semaphore, or several locks at once. Each holds what it gets for two leases,
// again and again; after all has been mended each must be served once more, unless it only tries.
// In some rounds (8g, 8h) the seed says which of these it is. It also says whether permits have
// slots. In half of the rounds contenders do more: a writer becomes a reader, the holder is asked
// to release the lock, the number of permits changes. This happens shortly before the fault, or at
// random. Those that exclude each other are judged like leaders: two writers, a reader and a
// writer, two permits with one slot. What is held at several paths is judged for each of them.
// Permits are counted, too: no more may be valid, or have a lease that runs, than there are. Where
// that changes, the largest number counts that the permit may have met while it was waited for.
//
// Nobody may get what it wants before those who wait and have come earlier. The campaign watches
// the znodes of all lines at each server. A contender has overtaken another if it has held by a
// znode that went while an older one was there. Tokens alone do not show one who was overtaken and
// then died, or who waits still. Readers may pass one another. An older permit counts as held.
//
// Each lock has a register, a znode. While a contender holds the lock for reading, it reads the
// register twice, again and again. Another holder reads it, and then writes another value by its
// Multi. Package updates judges that by Porcupine: no write may be lost. A write whose outcome is
// unknown, or was not told because the process was killed, may take effect at any time until the
// end. Its holder writes no more, because that write may take effect after the next. A semaphore
// has no register, because several may hold its permits at one time.
//
// # What it shows and what not
//
// It shows some properties on real servers, with real clocks, sockets and kernels. There were never
// two leaders at one time. Tokens grew. Nobody led, or could hold a place, before the end that the
// one before had claimed. It also shows how long nobody led. It shows this for the faults that it
// tries, on one machine. It cannot make clocks that run at different rates, and it cannot suspend
// hosts. For these, and for the many thousand hours that real servers would take, see package sim.
//
// The time without a leader depends on the machine. It is reported, and judged in two cases only.
// After all has been mended, everybody must stand in line behind a leader within 30 T. Where a
// follower was cut, the successor must lead 100 ms after the old leader's znode has gone and its
// lease is over, or as much later as the machine stood still, in one of three attempts. The table
// also shows how long after the fault the next one led, in units of D, and the aim: 1.35 D, which
// is 19/16 D and some round trips; 2.7 D where the heir is gone too.
//
// The same seed makes the same plan, but not the same run: the machine decides when things happen.
package campaign
