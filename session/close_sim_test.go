package session_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// A Close that waits because a Release was forgotten says so. A Close that is done soon says nothing.
func TestACloseThatWaitsSaysSo(t *testing.T) {
	for wait, want := range map[time.Duration]int{100 * time.Millisecond: 0, 20 * time.Second: 1} {
		log := newLogbook(t)
		inBubbleWith(t, session.Config{Timeout: simT, Logger: slog.New(log)}, func(t *testing.T, b *bubble) {
			done, other := b.client.KeepOpen(), b.client.KeepOpen()
			time.AfterFunc(wait, func() { done(); other() })
			b.client.Close()
		})
		if got := strings.Count(log.String(), "closing waits until all is released and all work has stopped recipes=2"); got != want {
			t.Errorf("after %v: %d lines; want %d:\n%s", wait, got, want, log)
		}
	}
}
