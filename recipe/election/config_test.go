package election_test

import (
	"context"
	"strings"
	"testing"
	"time"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

// nowhere is a client that will never find a server. Its lease is to last for 4 s.
func nowhere(t *testing.T) *session.Client {
	t.Helper()
	expectNoLeak(t)
	return shared.Open(t, "127.0.0.1:1", session.Config{Timeout: 8 * time.Second})
}

func healthy(context.Context) error { return nil }

func TestNewNamesTheBadValueAndWhatIsAllowed(t *testing.T) {
	client := nowhere(t)
	for name, c := range map[string]struct {
		path string
		cfg  election.Config
		says []string
	}{
		"ID with NUL":            {cfg: election.Config{ID: "a\x00b"}, says: []string{"ID", `"a\x00b"`, "control characters"}},
		"ID with newline":        {cfg: election.Config{ID: "a\nb"}, says: []string{"ID", `"a\nb"`, "control characters"}},
		"ID with DEL":            {cfg: election.Config{ID: "a\x7f"}, says: []string{"ID", "control characters"}},
		"ID not UTF-8":           {cfg: election.Config{ID: "a\xff"}, says: []string{"ID", "UTF-8"}},
		"ID too long":            {cfg: election.Config{ID: strings.Repeat("x", 257)}, says: []string{"ID", "257", "256"}},
		"ID too long in bytes":   {cfg: election.Config{ID: strings.Repeat("ü", 129)}, says: []string{"ID", "258", "256"}},
		"data too long":          {cfg: election.Config{Data: make([]byte, 1_000_001)}, says: []string{"Data", "1000001", "1000000"}},
		"unknown style":          {cfg: election.Config{Style: "queue"}, says: []string{"Style", `"queue"`, `"latch"`, `"lock"`, `"kazoo"`}},
		"negative StopBefore":    {cfg: election.Config{StopBefore: -1}, says: []string{"StopBefore", "-1ns", "1s"}},
		"absurd StopBefore":      {cfg: election.Config{StopBefore: time.Second + 1}, says: []string{"StopBefore", "1.000000001s", "1s"}},
		"negative DrainTimeout":  {cfg: election.Config{DrainTimeout: -time.Second}, says: []string{"DrainTimeout", "-1s", "24h"}},
		"absurd DrainTimeout":    {cfg: election.Config{DrainTimeout: 25 * time.Hour}, says: []string{"DrainTimeout", "25h", "24h"}},
		"negative HealthEvery":   {cfg: election.Config{Healthy: healthy, HealthEvery: -time.Second}, says: []string{"HealthEvery", "-1s", "24h"}},
		"absurd HealthEvery":     {cfg: election.Config{Healthy: healthy, HealthEvery: 1 << 62}, says: []string{"HealthEvery", "24h"}},
		"nobody to ask":          {cfg: election.Config{HealthEvery: time.Second}, says: []string{"HealthEvery is 1s", "Config.Healthy"}},
		"root":                   {path: "/", says: []string{`"/"`, "/billing"}},
		"relative path":          {path: "x", says: []string{`"x"`, "begin with /"}},
		"slash at the end":       {path: "/a/", says: []string{`"/a/"`, "ends with /"}},
		"empty part":             {path: "/a//b", says: []string{`"/a//b"`, "empty or relative"}},
		"relative part":          {path: "/a/./b", says: []string{`"/a/./b"`, "empty or relative"}},
		"part above":             {path: "/a/../b", says: []string{`"/a/../b"`, "empty or relative"}},
		"path with NUL":          {path: "/a\x00", says: []string{`"/a\x00"`, "does not allow"}},
		"path with newline":      {path: "/a\n", says: []string{`"/a\n"`, "does not allow"}},
		"path of a private rune": {path: "/\uf8ff", says: []string{"does not allow"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.path
			if path == "" {
				path = "/election"
			}
			el, err := election.New(client, path, c.cfg)
			shared.Says(t, err, c.says...)
			if el != nil {
				t.Error("an Election comes with the error")
			}
		})
	}
	t.Run("empty path", func(t *testing.T) {
		_, err := election.New(client, "", election.Config{})
		shared.Says(t, err, "path is empty", "begin with /")
	})
	t.Run("nil client", func(t *testing.T) {
		_, err := election.New(nil, "/election", election.Config{})
		shared.Says(t, err, "client is nil", "session.Open")
	})
}

func TestTheLargestValuesAreAccepted(t *testing.T) {
	client := nowhere(t)
	cfg := election.Config{
		ID: strings.Repeat("x", 256), Data: make([]byte, 1_000_000), Style: election.StyleLock,
		StopBefore: time.Second, DrainTimeout: 24 * time.Hour, Healthy: healthy, HealthEvery: 24 * time.Hour,
	}
	if _, err := election.New(client, "/a/b-ü/c", cfg); err != nil {
		t.Error(err)
	}
}

func TestRunWithoutACallbackIsAnError(t *testing.T) {
	el, err := election.New(nowhere(t), "/election", election.Config{})
	if err != nil {
		t.Fatal(err)
	}
	shared.Says(t, el.Run(context.Background(), nil), "nil callback")
	// The candidate is not busy after that.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := el.Run(ctx, lead); err != context.Canceled {
		t.Errorf("Run under a cancelled context: %v", err)
	}
}

// lead works as long as it may.
func lead(ctx context.Context, _ *election.Term) error {
	<-ctx.Done()
	return nil
}

func TestADefaultIDIsUnique(t *testing.T) {
	client := nowhere(t)
	ids := map[string]bool{}
	for range 100 {
		el, err := election.New(client, "/election", election.Config{})
		if err != nil {
			t.Fatal(err)
		}
		id := el.Status().ID
		if id == "" || ids[id] {
			t.Fatalf("ID %q again", id)
		}
		ids[id] = true
	}
}
