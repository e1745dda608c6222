// Singleton runs a command only while this machine leads an election, as "consul lock"
// does, but so that the command is dead before it can run anywhere else:
//
//	singleton -zk zk1:2181,zk2:2181 -path /cron -- ./job args      once, when elected
//	singleton -zk zk1:2181,zk2:2181 -path /app -restart -- ./app   as a service
//	go run ./examples/singleton                                    a demonstration
//	go run ./examples/singleton -- ./job args                      on servers in this process
//
// # What it does
//
// It stands in line until it is elected, then starts the job, and gives the leadership
// away when the job has ended. The job is the command and all that it starts: what is left
// when the command itself has ended is killed.
//
// The job may run as long as the lease is extended. When that fails, its process group
// gets SIGTERM, and SIGKILL after -grace, both before the lease is over and hence before
// another may lead. -grace is an eighth of -lease by default and at most three
// sixteenths of it; it comes out of the time in which a disturbance can pass, so a job
// that is slow to stop wants a longer -lease. A machine that crashes is replaced when
// its lease is over, whatever -timeout is. If the candidate's znode was deleted or
// its session is over, another leads soon: SIGKILL at once.
//
// The job is the child of a guardian, a second process of this program. It is told
// each new deadline over a pipe, and enforces it when this process is stopped (SIGSTOP,
// Ctrl-Z, a debugger). When this process dies (kill -9, out of memory), it sends SIGTERM
// at once and SIGKILL by the deadline. When the guardian dies, the kernel kills the
// command, and this process the rest. Neither waits for the reader of its stderr: what is not
// read is dropped in the end.
//
// # Once or again
//
// By default (-once) the job is run once at most: when it has ended, or was ended because
// the leadership was lost, the program exits. All who wait in line run it in turn, one
// after the other. With -restart the program enters the line again, at its end, after a
// delay that grows while jobs are short-lived: so a job that fails here is tried elsewhere.
//
// # The job's environment
//
//	ZKRECIPE_TOKEN               fencing token: larger than that of all jobs before
//	ZKRECIPE_DEADLINE            when the lease ends, as 2006-01-02T15:04:05.000Z
//	ZKRECIPE_DEADLINE_MONOTONIC  the same in ns of CLOCK_MONOTONIC (Linux)
//	ZKRECIPE_DEADLINE_BOOTTIME   the same in ns of CLOCK_BOOTTIME (Linux)
//	ZKRECIPE_PATH, ZKRECIPE_ID   the election's znode, this candidate's name
//
// The deadline is the first one only: it is extended as long as the ensemble answers. A job
// that writes to what others write to should send the token along, for older ones to be refused.
//
// The job's stdin is this program's, or /dev/null where that is a terminal.
//
// # Signals
//
// While the job runs, SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 are passed on
// to its process group, and the leadership is kept until it has ended, however long it
// takes; after one of the first three there is no restart. In line, the first four make the
// program leave within 5 seconds, at once when sent again.
//
// # Exit code
//
//	the job's, or 128+n if signal n killed it
//	1      refused by the ensemble, or the job cannot be supervised
//	2      flags that make no sense
//	75     the leadership was lost, so the job was ended (EX_TEMPFAIL: try again)
//	126    the command cannot be run
//	127    there is no such command
//	128+n  signal n came while waiting in line
//
// # What is not covered
//
// Two jobs may run at a time if
//
//   - this process and its guardian are both stopped past the deadline, as by freezing the
//     container that holds both; or the host is suspended, in which case both
//     clocks are compared on wakening and the job is killed within 50 ms of that;
//   - both are killed at once: then the kernel kills the command, but not what it has started.
//     A supervisor that kills whole cgroups, as systemd does, covers that;
//   - the job hands its work to somebody else (systemd-run, at, docker, ssh), or becomes
//     another user's by setuid. On Linux a job that changes its process group or session, or
//     becomes a daemon, is caught by SIGKILL (PR_SET_CHILD_SUBREAPER), but not asked by SIGTERM;
//     elsewhere it is not caught, and the deadline is compared with the civil clock;
//   - the kernel does not get to kill it in time: a process in uninterruptible sleep, a machine
//     without any CPU time for the guardian for a sixteenth of -lease;
//   - somebody deletes the election's path and all in it by hand (see package election).
//
// Against all of these there is the token.
package main
