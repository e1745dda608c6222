// Package hold stops one thread of a running ZooKeeper server at a named place of its code, while
// all its other threads run on. The scheduler, a page fault or a slow disk may stop a thread, too.
// Here a test chooses the place and the time.
//
//	e := ensemble.ForTest(t, ensemble.Config{Debug: true})
//	vm, err := hold.Attach(ctx, hold.Address(leader.DebugAddr()))
//	held, err := vm.Hold(ctx, hold.TrackerClosing)
//	...                                  // let a session expire
//	thread, err := held.Wait(ctx)        // it stands there now
//	...
//	err = held.Release(ctx)
//
// # How
//
// The server's JVM listens for a debugger (ensemble.Config.Debug). This package is that debugger:
// it speaks JDWP, the Java Debug Wire Protocol, and needs neither a JDK nor a program in Java. It
// sets a breakpoint that suspends only the thread which arrives there, and only the first one.
//
// A place is a method and a call in it: the thread stops right before that call, its arguments
// computed. The bytecode of the loaded class tells where that is, so no line number and no version
// stands in the table (Places). Hold fails when a release has no such call, or more than one. The
// table was tried with 3.8.0, 3.8.6 and 3.9.5.
//
// When the connection ends in any way, the end of this process included, the JVM forgets the
// breakpoints and lets the threads go.
package hold
