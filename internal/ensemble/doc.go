// Package ensemble starts and stops real ZooKeeper servers, for tests and for examples that must
// meet the real thing: one process per server, on loopback, with short ticks, ready within seconds.
//
//	e := ensemble.ForTest(t, ensemble.Config{})     // three servers, gone when the test ends
//	leader, err := e.Leader(ctx)
//	leader.Freeze()
//
// The servers come from, in this order:
//
//   - for Common, ZKRECIPE_COMMON_SERVERS, which "make test" sets: an ensemble for the tests of
//     several packages.
//   - ZK_SERVERS, a connect string: an ensemble somebody else runs. It can be asked but not
//     controlled: methods that start, stop or freeze a server return ErrExternal.
//   - Config.Version or ZOOKEEPER_VERSION, the number of a release that package release has at
//     hand, or lets Maven fetch.
//   - ZOOKEEPER_HOME, an unpacked release of Apache ZooKeeper.
//   - the Debian package "zookeeper".
//
// All but the first two need Java, from JAVA_HOME or PATH. Available says what is missing.
//
// On Linux the kernel kills the servers when the process that started them ends in any way, os.Exit
// and SIGKILL included. Elsewhere only Close does, and Freeze and Thaw are not supported.
package ensemble
