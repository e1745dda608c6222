package session_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// onLate runs a test with a client whose requests can be made to come late. Its session has a
// heartbeat, and the directories /e, /e/0 and /e/1 exist.
func onLate(t *testing.T, test func(s *stage.Stage, l *stage.Late, own *session.Session)) {
	stage.On(t, zktest.Config{}, func(s *stage.Stage) {
		l := s.Late("a", session.Config{})
		own := s.Session(l.Client)
		for i := range 2 {
			must(s.T, own.EnsurePath(s.Within(stage.Patience), fmt.Sprint("/e/", i), nil))
		}
		must(s.T, own.EnsureHeartbeat(s.Within(stage.Patience)))
		test(s, l, own)
	})
}

// A create without an answer is carried out late, when the session has come back to the server that
// had read it. The znode would be one that nobody knows of: others in its line would wait behind it
// for as long as the session lives.
func TestACreateWhoseAnswerIsLostLeavesNothingLater(t *testing.T) {
	place := func(i int) session.Place { return session.Place{Dir: fmt.Sprint("/e/", i), Name: "n-"} }
	for how, create := range map[string]func(ctx context.Context, s *session.Session) ([]string, error){
		"alone": func(ctx context.Context, s *session.Session) ([]string, error) {
			path, err := s.CreatePlace(ctx, "/e/0", "n-", nil, nil)
			return []string{path}, err
		},
		"protected": func(ctx context.Context, s *session.Session) ([]string, error) {
			path, err := s.CreateProtected(ctx, "/e/0", "n-", nil, nil)
			return []string{path}, err
		},
		"with a beat": func(ctx context.Context, s *session.Session) ([]string, error) {
			return s.CreatePlaces(ctx, place(0))
		},
		"several, without a beat": func(ctx context.Context, s *session.Session) ([]string, error) {
			large := place(0)
			large.Data = make([]byte, 10<<10) // too much for a beat
			return s.CreatePlaces(ctx, large, place(1))
		},
		"in a batch": func(ctx context.Context, s *session.Session) ([]string, error) {
			var creating sync.WaitGroup
			var paths [2]string
			var errs [2]error
			for i := range 2 {
				creating.Go(func() { paths[i], errs[i] = s.CreatePlace(ctx, fmt.Sprint("/e/", i), "n-", nil, nil) })
				synctest.Wait() // the first is sent alone
			}
			creating.Wait()
			return paths[:], cmp.Or(errs[0], errs[1])
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Run("tried again", func(t *testing.T) {
				onLate(t, func(s *stage.Stage, l *stage.Late, own *session.Session) {
					read := l.Hold(zktest.Match{Op: zktest.OpMulti, Path: "/e/*"})
					done := make(chan []string)
					go func() {
						paths, err := create(s.Within(stage.Patience), own)
						if err != nil {
							s.T.Error(err)
						}
						done <- paths
					}()
					<-read
					l.Move()
					paths := <-done
					l.Back()
					l.Happen()
					all := theirs(s, own)
					slices.Sort(paths)
					if !slices.Equal(all, paths) {
						s.T.Errorf("created %q; there are %q", paths, all)
					}
				})
			})
			t.Run("given up", func(t *testing.T) {
				onLate(t, func(s *stage.Stage, l *stage.Late, own *session.Session) {
					read := l.Hold(zktest.Match{Op: zktest.OpMulti, Path: "/e/*"})
					ctx, cancel := context.WithCancel(s.Within(stage.Patience))
					done := make(chan error)
					go func() {
						_, err := create(ctx, own)
						done <- err
					}()
					<-read
					l.Cut()
					cancel()
					if err := <-done; session.OutcomeOf(err) != session.OutcomeNotDone {
						s.T.Errorf("it was given up with %v", err)
					}
					l.Move()
					await.Sleep(stage.T) // it is settled in the background
					l.Back()
					l.Happen()
					if all := theirs(s, own); len(all) != 0 {
						s.T.Errorf("there are %q", all)
					}
				})
			})
		})
	}
}

// theirs returns the paths of the session's znodes below /e.
func theirs(s *stage.Stage, own *session.Session) (all []string) {
	for _, n := range s.Below("/e") {
		if n.Stat.EphemeralOwner == own.ID() {
			all = append(all, n.Path)
		}
	}
	return all
}

// A write of the user's own is carried out late, too. Fence is for that.
func TestAfterAFenceNoFencedMultiHappens(t *testing.T) {
	for name, c := range map[string]struct {
		write func(ctx context.Context, s *session.Session, ops ...any) ([]zk.MultiResponse, error)
		late  string // what is there in the end
	}{
		"fenced": {func(ctx context.Context, s *session.Session, ops ...any) ([]zk.MultiResponse, error) {
			return s.FencedMulti(ctx, ops...)
		}, ""},
		"not fenced": {func(ctx context.Context, s *session.Session, ops ...any) ([]zk.MultiResponse, error) {
			return s.Multi(ctx, ops...)
		}, "late"},
	} {
		t.Run(name, func(t *testing.T) {
			onLate(t, func(s *stage.Stage, l *stage.Late, own *session.Session) {
				ctx := s.Within(stage.Patience)
				read := l.Hold(zktest.Match{Op: zktest.OpMulti, Path: "/e/0"})
				lost := make(chan error)
				go func() {
					_, err := c.write(ctx, own, &zk.SetDataRequest{Path: "/e/0", Data: []byte("late"), Version: -1})
					lost <- err
				}()
				<-read
				l.Move()
				if err := <-lost; session.OutcomeOf(err) != session.OutcomeUnknown {
					s.T.Fatalf("the write: %v", err)
				}
				must(s.T, own.Fence(ctx))
				data, _, err := own.Get(ctx, "/e/0")
				if err != nil || len(data) > 0 {
					s.T.Errorf("after the fence: %q, %v", data, err)
				}
				l.Back()
				l.Happen()
				if n := s.Below("/e")[0]; string(n.Data) != c.late {
					s.T.Errorf("%s has %q in the end; want %q", n.Path, n.Data, c.late)
				}
			})
		})
	}
}
