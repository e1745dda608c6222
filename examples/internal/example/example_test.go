package example

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func parsed(t *testing.T, args ...string) *Program {
	t.Helper()
	p := New("example", "/example", time.Second, time.Second/2)
	if err := p.Parse(args); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAChildProcessUnderstandsTheFlags(t *testing.T) {
	parent := parsed(t, "-timeout", "2s", "-lease", "300ms", "-path", "/other", "-auth", "digest:alice:secret")
	err := parent.Run(t.Context(), func(ctx context.Context) error {
		child := parsed(t, parent.Args()...)
		client, err := child.Client()
		if err != nil {
			return err
		}
		defer client.Close()
		s, err := client.Session(ctx)
		if err == nil && (s.Timeout() != 2*time.Second || s.LeaseTime() != 300*time.Millisecond) {
			t.Errorf("session timeout %v, lease %v; want those of the parent's flags", s.Timeout(), s.LeaseTime())
		}
		if child.Path != "/other" || len(child.Session.Auth) != 1 {
			t.Errorf("path %s, credentials %v; want the parent's", child.Path, child.Session.Auth)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWithoutTheFlagItGrantsTheTimeoutAskedFor(t *testing.T) {
	p := parsed(t, "-timeout", "700ms")
	err := p.Run(t.Context(), func(ctx context.Context) error {
		if err := p.reach(ctx); err != nil {
			return err
		}
		if n := len(p.Embedded.Servers()); n != 3 {
			t.Errorf("%d servers; want 3, of which one may fail", n)
		}
		client, err := p.Client()
		if err != nil {
			return err
		}
		defer client.Close()
		s, err := client.Session(ctx)
		if err == nil && (s.Timeout() != 700*time.Millisecond || s.LeaseTime() != 350*time.Millisecond) {
			t.Errorf("session timeout %v, lease %v; want 700ms, and half of it", s.Timeout(), s.LeaseTime())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestABadValueIsToldWithWhatTheFlagTakes(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"lease", "5", `invalid value "5" for flag -lease: want a time such as 250ms or 2m`},
		{"times", "many", `invalid value "many" for flag -times: want a whole number`},
		{"try", "maybe", `invalid boolean value "maybe" for -try: want true or false`},
		{"unknown", "1", "flag provided but not defined: -unknown"},
	} {
		p := New("example", "/example", time.Second, time.Second/2)
		p.Flags.Int("times", 0, "")
		p.Flags.Bool("try", false, "")
		if err := p.Parse([]string{"-" + c.flag + "=" + c.value}); err == nil || err.Error() != c.want {
			t.Errorf("error %v; want %s", err, c.want)
		}
	}
}

func TestTheFlagNamesAnEnsemble(t *testing.T) {
	p := parsed(t, "-zk", "127.0.0.1:1")
	_ = p.Run(t.Context(), func(ctx context.Context) error {
		if p.Connect != "127.0.0.1:1" || p.Servers != p.Connect || p.Embedded != nil {
			t.Errorf("got %+v; want the ensemble of the flag alone", p)
		}
		if err := p.reach(ctx); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("the error is %v; want one that names the server", err)
		}
		return nil
	})
}

func TestTheExitCodeTellsMistakesFromFailures(t *testing.T) {
	failed := errors.New("failed")
	for _, test := range []struct {
		args       string
		check, run error
		code       int
		stderr     string
	}{
		{"", nil, nil, 0, ""},
		{"", nil, failed, 1, "example: failed\n"},
		{"", failed, nil, 2, "example: failed\n"},
		{"", nil, Mistake(failed), 2, "example: failed\n"},
		{"stray", nil, nil, 2, "example: unexpected argument \"stray\"; want flags only\n"},
		{"-timeout soon", nil, nil, 2, "example: invalid value \"soon\" for flag -timeout: want a time such as 250ms or 2m\n"},
	} {
		var stderr bytes.Buffer
		p := New("example", "/example", time.Second, 0)
		code := p.Do(append([]string{"-zk", "127.0.0.1:1"}, strings.Fields(test.args)...), &stderr,
			func() error { return test.check }, func(context.Context) error { return test.run })
		if code != test.code || stderr.String() != test.stderr {
			t.Errorf("%+v: exit code %d, stderr %q", test, code, &stderr)
		}
	}
}

func TestWhatDoesNotStopIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, stops := range []bool{false, true} {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			begun, hold := time.Now(), make(chan struct{})
			err := Within(ctx, 10*time.Second, func(ctx context.Context) error {
				<-ctx.Done()
				if !stops {
					<-hold
				}
				return nil
			})
			close(hold)
			if want := time.Minute; stops && (err != nil || time.Since(begun) != want) {
				t.Errorf("%v after %v; want nothing wrong after %v", err, time.Since(begun), want)
			}
			if want := 70 * time.Second; !stops && (!errors.Is(err, ErrLate) || time.Since(begun) != want) {
				t.Errorf("%v after %v; want %v after %v", err, time.Since(begun), ErrLate, want)
			}
		}
	})
}
