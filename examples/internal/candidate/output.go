package candidate

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Line is one line of output, for those who read it. Which fields are set depends on
// Event:
//
//	session    Session, TimeoutMS: connected; the same session again after "suspended"
//	joined     Node, Position (how many stand ahead)
//	heir       nothing: the leader alone is ahead
//	elected    Token, Deadline
//	beat       Token, Deadline: this candidate led at T
//	suspended  nothing: the connection is lost, the session perhaps not
//	deposed    Token, Reason
//	leader     Leader, LeaderToken; empty and 0 when nobody leads
//	error      Error
//	left       nothing: not in line any more
type Line struct {
	T           int64  `json:"t"` // CLOCK_MONOTONIC in ns; never less than on the line before
	ID          string `json:"id"`
	Event       string `json:"event"`
	Session     string `json:"session"`
	TimeoutMS   int64  `json:"timeout_ms"`
	Node        string `json:"node"`
	Position    int    `json:"position"`
	Token       int64  `json:"token"`
	Deadline    int64  `json:"deadline"` // when the lease ends unless it is extended, in T's clock
	Reason      string `json:"reason"`
	Leader      string `json:"leader"`
	LeaderToken int64  `json:"leader_token"`
	Error       string `json:"error"`
}

// output writes lines, each with one Write.
type output struct {
	id string
	mu sync.Mutex // guards w, and makes the order of the lines that of their stamps
	w  io.Writer
}

// write writes a line with the given names and values.
func (o *output) write(event string, fields ...any) {
	o.writeIf(func() bool { return true }, event, fields...)
}

// writeIf writes a line if ok says so, stamped right after that, and if ok still says so
// then: a process that is stopped between the question and the stamp would lie. A value that is a function tells a remaining time and is
// written as the instant at which it is over.
func (o *output) writeIf(ok func() bool, event string, fields ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !ok() {
		return
	}
	now := Monotonic()
	if !ok() {
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
