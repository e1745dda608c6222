package session

import (
	"context"
	"log/slog"
)

// note leaves a line for the log to run, because a logger of the user's must not be
// called under s.mu. The caller holds s.mu.
func (s *Session) note(level slog.Level, msg string, args ...any) {
	if len(s.notes) >= maxNotes {
		return
	}
	r := slog.NewRecord(s.clock.Wall(), level, msg, 0)
	r.Add("session", hex(s.id))
	r.Add(args...)
	s.notes = append(s.notes, r)
	signal(s.wake)
}

// writeNotes writes what note has left.
func (s *Session) writeNotes() {
	s.mu.Lock()
	notes := s.notes
	s.notes = nil
	s.mu.Unlock()
	for _, r := range notes {
		if h := s.log.Handler(); h.Enabled(context.Background(), r.Level) {
			h.Handle(context.Background(), r)
		}
	}
}
