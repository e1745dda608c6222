// Package output is for programs that must never wait for the reader of what they write, because
// another process has to be ended in time, or goes on as long as they tell it to.
package output

import (
	"bytes"
	"io"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/feed"
)

const (
	// maxWrites bounds what waits for a reader that does not read.
	maxWrites = 1000
	// lastWrites is how long the end of a program waits for a reader.
	lastWrites = time.Second
)

// Writer passes what is written on to another writer, in order. It never waits for that one, and
// drops what does not fit into its queue.
type Writer struct{ feed *feed.Feed[[]byte] }

// New returns a Writer that passes on to another one.
func New(to io.Writer) *Writer {
	// What cannot be written is lost: nobody is there to be told.
	return &Writer{feed.New(func(p []byte) { _, _ = to.Write(p) }, maxWrites)}
}

// Write implements io.Writer. It always succeeds.
func (w *Writer) Write(p []byte) (int, error) {
	w.feed.Send(bytes.Clone(p))
	return len(p), nil
}

// Finish gives the reader a second to read the rest.
func (w *Writer) Finish() { w.feed.WaitFor(clock.System, lastWrites) }
