// Package lines is for a program that tells what happens as JSON lines, by which several programs
// on one machine can be compared, and takes commands on stdin.
package lines

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/example"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/session"
)

// Line is one line, for those who read it.
type Line = history.Line

// Now reads the clock of Line.T, which all processes of a machine share.
func Now() int64 { return history.Now() }

// Output writes lines, each with one Write.
type Output struct {
	id      string
	mu      sync.Mutex // guards what follows, and makes the order of the lines that of their stamps
	w       io.Writer
	session int64 // that of the latest line about one
	over    bool  // the last line was written
}

// New returns an Output for the lines of id.
func New(w io.Writer, id string) *Output { return &Output{id: id, w: w} }

// Write writes a line with the given names and values.
func (o *Output) Write(event string, fields ...any) {
	o.WriteIf(func() bool { return true }, event, fields...)
}

// WriteIf writes a line if ok says so, stamped right after that, and if ok still says so then: a
// process that is stopped between the question and the stamp would lie. ok is called with the lock
// held: no other line comes between. A value that is a function tells a remaining time and is
// written as the instant at which it is over.
func (o *Output) WriteIf(ok func() bool, event string, fields ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !ok() {
		return
	}
	now := Now()
	if !ok() {
		return
	}
	o.write(now, event, fields)
}

// write writes a line. The caller holds o.mu.
func (o *Output) write(now int64, event string, fields []any) {
	if o.over {
		return
	}
	line := fmt.Appendf(nil, `{"t":%d,"id":%s,"event":%s`, now, quote(o.id), quote(event))
	for i := 0; i < len(fields); i += 2 {
		value := fields[i+1]
		if remaining, ok := value.(func() time.Duration); ok {
			value = now + int64(remaining())
		}
		line = fmt.Appendf(line, `,%s:%s`, quote(fields[i]), quote(value))
	}
	// Nobody is left to tell if this fails; a broken pipe ends the process anyway.
	_, _ = o.w.Write(append(line, "}\n"...))
}

// quote returns a value as JSON.
func quote(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("bug: " + err.Error()) // strings and numbers only
	}
	return b
}

// Last writes the last line. What is written after it is left out.
func (o *Output) Last(event string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write(Now(), event, nil)
	o.over = true
}

// Fail writes an error.
func (o *Output) Fail(err error) { o.Write("error", "error", err.Error()) }

// Suspended writes that the connection is lost. The next Session writes the session again.
func (o *Output) Suspended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.session = 0
	o.write(Now(), "suspended", nil)
}

// Session writes a session, unless the latest line about one was about this one. Its id is written
// as in ZooKeeper's logs: as a number it is too large for many readers of JSON.
func (o *Output) Session(id int64, client *session.Client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session == id {
		return
	}
	o.session = id
	s := client.Status()
	o.write(Now(), "session", []any{"session", fmt.Sprintf("0x%x", uint64(id)), "timeout_ms", s.Timeout.Milliseconds(), "lease_ms", s.LeaseTime.Milliseconds()})
}

// ExitWithin is how long leaving may last after a signal or "quit". A supervisor waits for it, and
// an ensemble that does not answer must not make it wait longer. Znodes that are not deleted by
// then are deleted when the session expires.
const ExitWithin = 4 * time.Second

// Run calls run, and carries out the commands on stdin meanwhile. The command "quit" ends the
// context. A command whose name ends in " N" is given a number, the others 0. Run returns when run
// has returned, or ExitWithin after the end of ctx.
func (o *Output) Run(
	ctx context.Context, commands map[string]func(n int), run func(context.Context) error,
) error {
	ctx, quit := context.WithCancel(ctx)
	commands["quit"] = func(int) { quit() }
	go o.obey(os.Stdin, commands) // not waited for: a read of stdin cannot be called back
	err := example.Within(ctx, ExitWithin, run)
	switch {
	case errors.Is(err, example.ErrLate):
		go o.Fail(fmt.Errorf("the ensemble has not answered for %v; the session will expire", ExitWithin))
		time.Sleep(ExitWithin / 8) // not for as long as the line takes: perhaps nobody reads stdout
		return nil
	case err != nil:
		o.Fail(err)
	}
	return err
}

// obey carries out commands, one a line. The end of stdin is no command: a supervisor may run the
// program without one.
func (o *Output) obey(stdin io.Reader, commands map[string]func(int)) {
	for in := bufio.NewScanner(stdin); in.Scan(); {
		command := strings.TrimSpace(in.Text())
		name, n := command, 0
		if word, number, ok := strings.Cut(command, " "); ok {
			var err error
			if n, err = strconv.Atoi(number); err == nil {
				name = word + " N"
			}
		}
		if do := commands[name]; do != nil {
			do(n)
		} else if command != "" {
			o.Fail(fmt.Errorf("command %q; want one of %q", command, slices.Sorted(maps.Keys(commands))))
		}
	}
}

// FollowSessions writes each session when it begins, and what is wrong while there is none, until
// ctx ends.
func (o *Output) FollowSessions(ctx context.Context, client *session.Client) {
	patience := client.Status().Timeout
	for ctx.Err() == nil && client.Context().Err() == nil {
		waiting, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("none within %v", patience))
		s, err := client.Session(waiting)
		cancel()
		if err == nil {
			o.Session(s.ID(), client)
			select {
			case <-s.Done():
			case <-ctx.Done():
			}
		} else if ctx.Err() == nil && client.Context().Err() == nil {
			o.Fail(err)
		}
	}
}
