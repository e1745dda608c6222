// Package faultproxy stands between ZooKeeper clients and one server and breaks the connection in
// chosen places. It understands the client protocol, so a test can lose exactly the reply to the
// second create. It tells when the fault has happened, so the test can wait for a signal.
//
//	p, err := faultproxy.New(server.Addr())           // a test makes one proxy per server
//	lost := p.LoseReply(faultproxy.OpCreate, 1)       // the create happens, its answer never comes
//	...
//	err = lost.Wait(ctx)
//
// There are two kinds of fault. Those of a direction (Hold, Drop, Delay, Rate) and of the listener
// (Refuse, Silent, Unlisten) last until they are taken back and touch all connections, present and
// future. Those of a request (LoseReply, HoldReply, FailReply, ...) strike once, at the n-th
// request of an operation counted from the call; all are made by On, which takes any condition. A
// direction is always first in, first out, as TCP is.
//
// A proxy is a socket, or in memory for a bubble of testing/synctest (NewInMemory). Then its
// clients connect by Dial.
//
// What is not ZooKeeper's protocol (four-letter words, TLS, garbage) passes as raw bytes. Only the
// length prefix tells the difference: bytes that start with a possible length are kept until so
// many have come, or the sender has closed. Raw makes all bytes pass at once, whatever they are.
package faultproxy
