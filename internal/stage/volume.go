package stage

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// Volume is a log handler that counts the lines from INFO on, by message.
type Volume struct {
	mu    sync.Mutex // guards what follows
	lines map[string]int
	left  map[string]int // lines that were left out, as the log says
}

// NewVolume returns a Volume that has counted nothing.
func NewVolume() *Volume { return &Volume{lines: map[string]int{}, left: map[string]int{}} }

// Written returns how many lines had that message.
func (v *Volume) Written(message string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lines[message]
}

// Counted returns how many lines with that message were written, or left out and counted.
func (v *Volume) Counted(message string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lines[message] + v.left[message]
}

// All returns how many lines were written.
func (v *Volume) All() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, lines := range v.lines {
		n += lines
	}
	return n
}

// String returns all counts.
func (v *Volume) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprintf("lines: %v; left out: %v", v.lines, v.left)
}

// Enabled is slog's.
func (v *Volume) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// WithAttrs is slog's.
func (v *Volume) WithAttrs([]slog.Attr) slog.Handler { return v }

// WithGroup is slog's.
func (v *Volume) WithGroup(string) slog.Handler { return v }

// Handle is slog's.
func (v *Volume) Handle(_ context.Context, r slog.Record) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines[r.Message]++
	if r.Message == "lines left out" {
		var of string
		r.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "of":
				of = a.Value.String()
			case "lines":
				v.left[of] += int(a.Value.Int64())
			}
			return true
		})
	}
	return nil
}
