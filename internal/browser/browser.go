//go:build unix

package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

// patience guards against hanging; nothing is measured by it.
const patience = 60 * time.Second

// flags let the browser run without a window and without a sandbox (which root cannot have), and
// let it connect to nobody by itself.
var flags = []string{
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
	"--remote-debugging-pipe",
}

// browser is a running browser. Messages are JSON, each ended by a zero byte.
type browser struct {
	out   io.WriteCloser
	event func(method string, params json.RawMessage)
	done  chan struct{} // closed when the browser says nothing any more

	mu      sync.Mutex // guards what follows, and makes one write of each message
	last    int
	waiting map[int]chan reply
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

var errEnded = errors.New("the browser has ended")

// start starts a browser that ends with the test. event is called from one goroutine.
func start(t *testing.T, event func(string, json.RawMessage)) *browser {
	t.Helper()
	exe := need.Program(t, "chromium", "chromium")
	home := t.TempDir()
	theirIn, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(exe, append(flags, "--user-data-dir="+home, "about:blank")...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // it expects them as 3 and 4
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // for the end of all its processes
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{out: out, event: event, done: make(chan struct{}), waiting: map[int]chan reply{}}
	go b.read(in)
	t.Cleanup(func() {
		b.call("", "Browser.close", nil) // its processes end together; an error does not matter
		out.Close()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		in.Close()
		<-b.done
		if t.Failed() {
			t.Logf("the browser's stderr:\n%s", stderr.String())
		}
	})
	return b
}

// read takes messages until the browser ends.
func (b *browser) read(in io.Reader) {
	defer close(b.done)
	for messages := bufio.NewReader(in); ; {
		text, err := messages.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			reply
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue // the one that waits for it says so
		}
		if m.ID == 0 {
			b.event(m.Method, m.Params)
			continue
		}
		b.mu.Lock()
		waiting := b.waiting[m.ID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if waiting != nil {
			waiting <- m.reply
		}
	}
}

// call calls a method of the protocol and returns its result.
func (b *browser) call(session, method string, params args) (json.RawMessage, error) {
	answer, err := b.send(session, method, params)
	if err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return nil, errors.New(r.Error.Message)
		}
		return r.Result, nil
	case <-b.done:
		return nil, errEnded
	case <-time.After(patience):
		return nil, fmt.Errorf("no answer within %v", patience)
	}
}

func (b *browser) send(session, method string, params args) (chan reply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	message := args{"id": b.last, "method": method, "params": params}
	if session != "" {
		message["sessionId"] = session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	answer := make(chan reply, 1)
	b.waiting[b.last] = answer
	_, err = b.out.Write(append(text, 0))
	return answer, err
}

// wait waits for a signal.
func (b *browser) wait(t *testing.T, signal <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-signal:
	case <-b.done:
		t.Fatalf("browser: %v while waiting for %s", errEnded, what)
	case <-time.After(patience):
		t.Fatalf("browser: waited %v for %s", patience, what)
	}
}
