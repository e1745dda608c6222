package candidate

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// Line is one line of output, for those who read it.
type Line = history.Line

// Monotonic reads the clock of Line.T, which all processes of a machine share.
func Monotonic() int64 { return history.Now() }

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
// then: a process that is stopped between the question and the stamp would lie. A value
// that is a function tells a remaining time and is written as the instant at which it is
// over.
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
