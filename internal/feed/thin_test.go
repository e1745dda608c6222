package feed

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// lockedBuffer can be read while other goroutines write to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestLinesThatManyWriteAreLeftOutAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, thin := WithThin(t.Context(), clock.System)
		var out lockedBuffer
		log, lines := NewLog(slog.New(slog.NewTextHandler(&out, nil)))
		said := func(text string) int {
			synctest.Wait()
			return strings.Count(out.String(), text)
		}
		for range 100 { // a logger each
			Thinned(ctx, log, lines, Failures).With("id", 1).Warn("same")
		}
		Thinned(ctx, log, lines, Failures).With("id", 2).Info("other")
		if said("msg=same") != Failures || said("msg=other") != 1 {
			t.Errorf("the log:\n%s", &out)
		}
		await.Sleep(thinFor)
		if said(`level=WARN msg="lines left out" of=same lines=95`+"\n") != 1 || said("left out") != 1 {
			t.Errorf("the log:\n%s", &out)
		}
		Thinned(ctx, log, lines, Failures).Warn("same")
		if said("msg=same") != Failures+1 {
			t.Error("left out although there was nothing for a while")
		}
		for range 10 {
			Thinned(ctx, log, lines, Failures).Warn("same")
		}
		thin.Finish(lines)
		thin.Finish(lines)
		if said("of=same lines=6\n") != 1 {
			t.Errorf("at the end:\n%s", &out)
		}
	})
}

// Only the user's handler knows that it does not want the lines of a level.
func TestLinesThatNobodyWantsLeaveOutNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, thin := WithThin(t.Context(), clock.System)
		var out lockedBuffer
		log, lines := NewLog(slog.New(slog.NewTextHandler(&out, nil)))
		for range 100 {
			Thinned(ctx, log, lines, Failures).Debug("left")
		}
		Thinned(ctx, log, lines, Failures).Info("left")
		thin.Finish(lines)
		synctest.Wait()
		if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=INFO msg=left\n") {
			t.Errorf("the log:\n%s", got)
		}
	})
}
