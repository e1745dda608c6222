package value_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A refused change in a batch does not delay the others. A value that the znode never held refuses
// no change.
func TestWhatDoesNotFitIsRefusedAlone(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{Encoding: value.EncodingInt32, Initial: math.MaxInt32 - 5})
		var group sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 10 {
			group.Go(func() {
				_, err := n.Add(within(t), 1)
				mu.Lock()
				defer mu.Unlock()
				var o *value.OverflowError
				if errors.As(err, &o) {
					if refused++; o.Count != math.MaxInt32 || o.Delta != 1 {
						t.Errorf("%v", o)
					}
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got, err := n.Get(within(t)); refused != 5 || got != math.MaxInt32 || err != nil {
			t.Errorf("%d refused, the counter is %d, %v", refused, got, err)
		}
		_, err := n.Add(within(t), -math.MaxInt32)
		must(t, err)
	})
}

func TestOverflowsAreNoticedInEachEncoding(t *testing.T) {
	for encoding, limits := range map[value.Encoding][2]int64{
		value.EncodingDecimal: {math.MinInt64, math.MaxInt64}, value.EncodingInt64: {math.MinInt64, math.MaxInt64},
		value.EncodingInt32: {math.MinInt32, math.MaxInt32},
	} {
		for i, delta := range []int64{-1, 1} {
			onStage(t, 1, func(t *testing.T, s *stage) {
				n := s.counter("a", value.CounterConfig{Encoding: encoding, Initial: limits[i]})
				var o *value.OverflowError
				if _, err := n.Add(within(t), delta); !errors.As(err, &o) || o.Count != limits[i] {
					t.Errorf("%v: Add: %v; want an OverflowError", encoding, err)
				}
				if s.data() != "missing" {
					t.Errorf("%v: written: %q", encoding, s.data())
				}
				if got, err := n.Add(within(t), 0); got != limits[i] || err != nil {
					t.Errorf("%v: Add(0) = %d, %v", encoding, got, err)
				}
			})
		}
	}
}

// What others have written is not a number, or none of this encoding: it stays.
func TestWhatIsNoNumberIsNotOverwritten(t *testing.T) {
	for data, encoding := range map[string]value.Encoding{
		"3.0": value.EncodingDecimal, "five": value.EncodingDecimal, "99999999999999999999": value.EncodingDecimal,
		"1234": value.EncodingInt64, "12345678": value.EncodingInt32,
	} {
		onStage(t, 1, func(t *testing.T, s *stage) {
			s.put(data)
			n := s.counter("a", value.CounterConfig{Encoding: encoding})
			var f *value.FormatError
			if _, err := n.Add(within(t), 1); !errors.As(err, &f) || string(f.Data) != data {
				t.Errorf("Add to %q as %v: %v; want a FormatError", data, encoding, err)
			}
			if err := n.CompareAndSet(within(t), 0, 1); !errors.As(err, &f) {
				t.Errorf("CompareAndSet of %q as %v: %v; want a FormatError", data, encoding, err)
			}
			if s.data() != data {
				t.Errorf("%q has become %q", data, s.data())
			}
		})
	}
}

func TestTheBytesAreThoseOfCuratorAndKazoo(t *testing.T) {
	for want, encoding := range map[string]value.Encoding{
		"-2": value.EncodingDecimal, "\xff\xff\xff\xff\xff\xff\xff\xfe": value.EncodingInt64, "\xff\xff\xff\xfe": value.EncodingInt32,
	} {
		onStage(t, 1, func(t *testing.T, s *stage) {
			s.put("") // as kazoo's Counter creates it
			n := s.counter("a", value.CounterConfig{Encoding: encoding})
			got, err := n.Add(within(t), -2)
			if got != -2 || err != nil || s.data() != want {
				t.Errorf("%v: Add = %d, %v; the znode holds %q, want %q", encoding, got, err, s.data(), want)
			}
		})
	}
}

// A server with a smaller jute.maxbuffer closes the connection on a large write, each time.
func TestALargeWriteThatIsNeverAnsweredIsGivenUp(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		now, err := v.CompareAndSet(within(t), value.Versioned{}, []byte("small"))
		must(t, err)
		large := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a"}, zktest.LoseRequest)
		failed := make(chan error, 1)
		go func() {
			_, err := v.CompareAndSet(within(t), now, make([]byte, 100_000))
			failed <- err
		}()
		s.Eventually("losses", func() bool { return large.Hits() >= 4 })
		large.Remove() // what follows is small
		if err := <-failed; err == nil || isUnknown(err) || !strings.Contains(err.Error(), "100000 bytes") {
			t.Errorf("CompareAndSet: %v; want an error that tells the size", err)
		}
		if s.data() != "small" {
			t.Errorf("the znode holds %d bytes", len(s.data()))
		}
	})
}

// Only these data are refused: the same znode accepts smaller ones.
func TestAValueThatIsTooLargeIsNotBlamedOnThePath(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		size := 2 << 20
		update := func([]byte) ([]byte, error) { return make([]byte, size), nil }
		_, err := v.Update(within(t), update)
		var permanent *recipe.PermanentError
		if !errors.Is(err, session.ErrTooLarge) || errors.As(err, &permanent) || !strings.Contains(err.Error(), "the new value of "+path+" is too large") {
			t.Errorf("Update: %v; want it to tell of the size", err)
		}
		size = 1
		must(t, second(v.Update(within(t), update)))
	})
}

// A missing permission is reported at once, and named.
func TestWhatIsNotPermittedIsPermanent(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		admin := s.Admin()
		_, err := admin.Create(within(t), "/secret", []byte("1"), zk.FlagPersistent, zk.WorldACL(zk.PermRead))
		must(t, err)
		v, err := value.New(s.Client("a"), "/secret", value.Config{})
		must(t, err)
		now, err := v.Get(within(t))
		must(t, err)
		var permanent *recipe.PermanentError
		if _, err := v.CompareAndSet(within(t), now, nil); !errors.As(err, &permanent) || !errors.Is(err, zk.ErrNoAuth) || permanent.Path != "/secret" {
			t.Errorf("CompareAndSet: %v; want a PermanentError", err)
		}
		_, err = admin.Create(within(t), "/hidden", []byte("1"), zk.FlagPersistent, zk.WorldACL(zk.PermWrite))
		must(t, err)
		hidden, err := value.New(s.Client("b"), "/hidden", value.Config{})
		must(t, err)
		w := hidden.Watch()
		defer w.Stop()
		if _, err := w.Next(within(t)); !errors.As(err, &permanent) {
			t.Errorf("Next: %v; want a PermanentError", err)
		}
	})
}

func TestWhatIsWrongWithAConfigurationIsSaid(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		client := s.Client("a")
		unset, err := value.New(client, "/x", value.Config{})
		must(t, err)
		for want, err := range map[string]error{
			"path is \"/\"":             second(value.New(client, "/", value.Config{})),
			"value: path \"x\" does":    second(value.New(client, "x", value.Config{})),
			"client is nil":             second(value.New(nil, "/x", value.Config{})),
			"the client is nil":         second(value.NewCounter(nil, "/x", value.CounterConfig{})),
			"Update was given a nil":    second(unset.Update(t.Context(), nil)),
			"Config.Journals":           second(value.New(client, "/x", value.Config{Journals: "x"})),
			"Config.Journals: path":     second(value.New(client, "/x", value.Config{Journals: "/"})),
			"Config.Durable is \"a/b\"": second(value.New(client, "/x", value.Config{Durable: "a/b"})),
			"Encoding is 3":             second(value.NewCounter(client, "/x", value.CounterConfig{Encoding: 3})),
			"Initial is 2147483648":     second(value.NewCounter(client, "/x", value.CounterConfig{Encoding: value.EncodingInt32, Initial: 1 << 31})),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want it to tell of %s", err, want)
			}
		}
	})
}

func TestADeadlineTellsWhatIsWrongWithEachServer(t *testing.T) {
	v, err := value.New(shared.Offline(t), "/v", value.Config{})
	must(t, err)
	w := v.Watch()
	defer w.Stop()
	for name, call := range map[string]func(context.Context) (value.Versioned, error){
		"Get": v.Get, "Next": w.Next,
		"Update": func(ctx context.Context) (value.Versioned, error) {
			return v.Update(ctx, func(b []byte) ([]byte, error) { return b, nil })
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := call(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no session with 127.0.0.1:1") {
			t.Errorf("%s: %v; want it to tell of the server", name, err)
		}
		if name == "Next" && !strings.Contains(err.Error(), "/v: not read yet: ") {
			t.Errorf("%v; want it to tell what it has waited for", err)
		}
	}
}

func TestAConflictOfACounterTellsTheNumber(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n, err := value.NewCounter(s.Client("a"), "/n", value.CounterConfig{Encoding: value.EncodingInt32})
		must(t, err)
		must(t, second(n.Add(within(t), 7)))
		if err := n.CompareAndSet(within(t), 6, 8); conflict(err) == nil || !strings.Contains(err.Error(), "it is 7 since") {
			t.Errorf("%v; want it to tell of 7", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }
