package session_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// A Close that waits because a Release was forgotten says so. A Close that is done soon says
// nothing.
func TestACloseThatWaitsSaysSo(t *testing.T) {
	for wait, want := range map[time.Duration]int{100 * time.Millisecond: 0, 20 * time.Second: 1} {
		log := newLogbook(t)
		inBubbleWith(t, session.Config{Timeout: simT, Logger: slog.New(log)}, func(t *testing.T, b *bubble) {
			var all []func()
			for i := range 13 {
				all = append(all, b.client.KeepOpen(fmt.Sprintf("lock /l%02d (host-a)", i)))
			}
			all[0]() // it does not count any more, however often it is called
			all[0]()
			all = append(all, b.client.KeepOpen("lock /l05 (host-a)"))
			time.AfterFunc(wait, func() {
				for _, done := range all {
					done()
				}
			})
			b.client.Close()
		})
		if got := strings.Count(log.String(), "closing waits until all is released and all work has stopped recipes=13 for=lock /l01 (host-a); "+
			"lock /l02 (host-a); lock /l03 (host-a); lock /l04 (host-a); lock /l05 (host-a), 2 times; lock /l06 (host-a); lock /l07 (host-a); "+
			"lock /l08 (host-a); lock /l09 (host-a); lock /l10 (host-a); and 2 others\n"); got != want {
			t.Errorf("after %v: %d lines; want %d:\n%s", wait, got, want, log)
		}
	}
}
