// Package peers runs candidates of other libraries as processes, so that they and ours can
// stand in one line on one real ensemble, in tests and in measurements: Apache Curator's
// LeaderLatch and LeaderSelector (Debian's libcurator-recipes-java), kazoo's Election
// (Debian's python3-kazoo) and Lock of github.com/go-zookeeper/zk. It is a module of its
// own, so that none of this is in the way of who uses the library.
//
// # Starting a candidate
//
//	hosts, err := peers.NewHosts()
//	defer hosts.Close()
//	p, err := hosts.Start(ctx, peers.LeaderLatch, peers.Config{
//		Connect: e.ConnectString(), Path: "/election", ID: "curator-1",
//	})
//	defer p.Kill()
//	elected, err := p.Wait(ctx, "elected") // elected.T, elected.Token
//	p.Send("resign")                       // deposed, left, and joined again
//	p.Send("quit")                         // left; the process ends, see p.Done()
//
// Every kind speaks the protocol of examples/candidate: one JSON object a line, stamped
// with CLOCK_MONOTONIC, so that the lines of several processes of a machine can be put in
// order. Peers tell of session, joined, elected, beat, suspended, deposed, error and left. While
// a candidate leads it beats: it asked its library right before the stamp and right after it,
// so beats of two candidates that interleave are two leaders. What counts as leading is what
// the library's documentation asks of its users: hasLeadership of Curator; for kazoo and
// zk.Lock, holding the lock without any loss of the connection since.
//
// Config.OnLine streams the lines, into a channel if that is wanted. [Available] tells what a
// machine lacks for a kind. The programs are built when first needed, javac within two
// seconds; a JVM takes about one more until its candidate is in line.
package peers
