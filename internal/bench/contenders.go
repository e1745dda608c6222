package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/zkrecipe/zkrecipe/internal/unprotected"
)

// asContender as first argument makes this program a contender: see contendOnDemand.
const asContender = "contender"

// contendOnDemand makes this process a contender for a lock. The arguments are whose lock, server
// and path. It does the same work whichever lock it is, unlike examples/contender, which also tells
// what happens. It says when it is ready. For each line on stdin it contends for a while, and says
// how often it has acquired the lock.
func contendOnDemand(ctx context.Context, args []string) error {
	acquire, closeSession, err := openAcquirer(&lab{ctx: ctx}, args[0], args[1], args[2])
	if err != nil {
		return err
	}
	defer closeSession()
	fmt.Println(0)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		n, err := contend([]acquirer{acquire})
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
	return nil
}

func openAcquirer(l *lab, whose, server, path string) (acquire acquirer, closeSession func(), err error) {
	if whose != nameOurs {
		b, err := dialBare(l, server, longTimeout)
		if err != nil {
			return nil, nil, err
		}
		if whose == nameLock {
			return zkLock(b, path), b.Close, nil
		}
		acquire, err = unprotected.Lock(b.Conn, path)
		return acquire, b.Close, err
	}
	o, err := openOurs(l, server, longTimeout, longTimeout/2)
	if err != nil {
		return nil, nil, err
	}
	acquire, err = ourLock(l.ctx, o, path)
	return acquire, func() { o.Close() }, err
}

// contender is a process that contends for a lock.
type contender struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

// measureProcesses lets processes contend for one lock, each with a session of its own.
func measureProcesses(l *lab) error {
	kinds := map[string]func() (int, error){}
	for _, whose := range []string{nameFloor, nameLock, nameOurs} {
		all, err := startContenders(l, whose)
		defer end(all)
		if err != nil {
			return err
		}
		kinds[whose] = func() (int, error) { return contendAll(all) }
	}
	return l.throughput("processes", kinds)
}

func startContenders(l *lab, whose string) (all []*contender, err error) {
	path := l.path("processes")
	for i := range contending {
		c, err := startContender(whose, l.server(i), path)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	_, err = count(all) // each says that it is ready
	return all, err
}

func startContender(whose, server, path string) (*contender, error) {
	cmd, stdin, stdout, err := spawn(asContender, whose, server, path)
	return &contender{cmd, stdin, bufio.NewReader(stdout)}, err
}

// contendAll lets all contend at the same time, and adds up how often they acquired the lock.
func contendAll(all []*contender) (int, error) {
	for _, c := range all {
		if _, err := fmt.Fprintln(c.stdin); err != nil {
			return 0, err
		}
	}
	return count(all)
}

// count adds up what each says next.
func count(all []*contender) (sum int, err error) {
	for _, c := range all {
		var n int
		if _, err := fmt.Fscanln(c.out, &n); err != nil {
			return 0, fmt.Errorf("a contender has ended: %w", err)
		}
		sum += n
	}
	return sum, nil
}

// end has all leave and waits for them.
func end(all []*contender) {
	for _, c := range all {
		c.stdin.Close()
	}
	for _, c := range all {
		_ = c.cmd.Wait() // what it has to say is on stderr
	}
}
