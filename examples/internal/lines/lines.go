// Package lines writes what a program tells as JSON lines that several programs on one machine can
// be compared by.
package lines

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// Output writes lines, each with one Write.
type Output struct {
	id string
	mu sync.Mutex // guards w, and makes the order of the lines that of their stamps
	w  io.Writer
}

// New returns an Output for the lines of id.
func New(w io.Writer, id string) *Output { return &Output{id: id, w: w} }

// Write writes a line with the given names and values.
func (o *Output) Write(event string, fields ...any) {
	o.WriteIf(func() bool { return true }, event, fields...)
}

// WriteIf writes a line if ok says so, stamped right after that, and if ok still says so
// then: a process that is stopped between the question and the stamp would lie. A value
// that is a function tells a remaining time and is written as the instant at which it is
// over.
func (o *Output) WriteIf(ok func() bool, event string, fields ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !ok() {
		return
	}
	now := history.Now()
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
