package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"testing"
)

// The test program is its own child: it echoes its stdin until that ends.
func TestMain(m *testing.M) {
	switch Role() {
	case "":
		os.Exit(m.Run())
	case "echo":
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Println(lines.Text())
		}
	case "fail":
		fmt.Fprintln(os.Stderr, "no idea")
		os.Exit(3)
	case "stubborn":
		signal.Notify(make(chan os.Signal, 1)) // besides, a process that waits for a signal is not dead-locked
		fmt.Println("ready")
		select {}
	}
}

// begin starts a child and returns its lines.
func begin(t *testing.T, role string) (*Child, <-chan string) {
	t.Helper()
	lines := make(chan string, 10)
	c, err := Start(role, []string{"arg"}, func(line []byte) error {
		lines <- string(line)
		if string(line) == "?" {
			return errors.New("a question")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c, lines
}

func TestAChildTellsItsLinesAndEndsWhenAsked(t *testing.T) {
	c, lines := begin(t, "echo")
	c.Send("one")
	if got := <-lines; got != "one" {
		t.Errorf("got the line %q; want that sent", got)
	}
	if err := c.Stop("two"); err != nil {
		t.Errorf("its end: %v; want none", err)
	}
	if got := <-lines; got != "two" {
		t.Errorf("got the line %q; want that sent last", got)
	}
}

func TestAPausedChildCanBeStopped(t *testing.T) {
	if !CanPause {
		t.Skip("processes cannot be paused here")
	}
	c, lines := begin(t, "echo")
	c.Pause()
	c.Send("while paused")
	if err := c.Stop(""); err != nil {
		t.Errorf("its end: %v; want none", err)
	}
	if got := <-lines; got != "while paused" {
		t.Errorf("got the line %q; want that sent", got)
	}
}

func TestAFailureIsToldWithItsWords(t *testing.T) {
	c, _ := begin(t, "fail")
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "exit status 3 no idea") {
		t.Errorf("the error is %v; want the exit code and stderr", err)
	}
}

func TestALineThatIsNotUnderstoodIsAFailure(t *testing.T) {
	c, _ := begin(t, "echo")
	c.Send("?")
	if err := c.Stop("fine"); err == nil || !strings.Contains(err.Error(), "a question") {
		t.Errorf("the error is %v; want what tell has returned", err)
	}
}

func TestAKilledChildIsGone(t *testing.T) {
	c, lines := begin(t, "stubborn")
	<-lines
	c.Kill()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("its end: %v; want that it was killed", err)
	}
	if _, err := io.WriteString(c.stdin, "x"); err == nil {
		t.Error("its stdin is open")
	}
}

func TestAChildThatDoesNotReadIsStoppedAllTheSame(t *testing.T) {
	t.Parallel()
	c, lines := begin(t, "stubborn")
	<-lines
	// A pipe holds 64 KiB.
	if err := c.Stop(strings.Repeat("x", 1<<20)); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("its end: %v; want that it was killed", err)
	}
}
