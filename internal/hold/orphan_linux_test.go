package hold

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// childVar makes the test binary hold a commit at the server whose debugger's address it names,
// tell that, and wait to be killed.
const childVar = "HOLD_TEST_CHILD"

func init() {
	addr := os.Getenv(childVar)
	if addr == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	vm, err := Attach(ctx, Address(addr))
	if err == nil {
		var held *Held
		if held, err = vm.Hold(ctx, Commit); err == nil {
			fmt.Println("armed")
			_, err = held.Wait(ctx)
		}
	}
	fmt.Println("held", err)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}

func TestTheThreadGoesOnWhenTheProcessIsKilled(t *testing.T) {
	s := newFixture(t, "follower")
	s.must(s.vm.Close())
	child := exec.CommandContext(s.ctx, os.Args[0])
	child.Env = append(os.Environ(), childVar+"="+s.server.DebugAddr())
	in, err := child.StdinPipe()
	s.must(err)
	defer in.Close()
	out, err := child.StdoutPipe()
	s.must(err)
	s.must(child.Start())
	lines := bufio.NewReader(out)
	for _, want := range []string{"armed\n", "held <nil>\n"} {
		if line, err := lines.ReadString('\n'); line != want {
			t.Fatalf("the child says %q, %v; want %q", line, err, want)
		}
		s.touchNothing() // somebody comes, then waits
	}
	s.ask()
	nothing(s, s.asked)
	s.must(child.Process.Kill())
	_ = child.Wait() // it was killed
	something(s, s.asked)
}
