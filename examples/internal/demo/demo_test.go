package demo

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
)

func TestAChildProcessUnderstandsTheFlags(t *testing.T) {
	parent, child := New("demo", "/demo", time.Second, time.Second/2), New("demo", "/other", time.Second, time.Second/2)
	if err := parent.Flags.Parse([]string{"-timeout", "2s", "-lease", "300ms"}); err != nil {
		t.Fatal(err)
	}
	err := parent.Run(t.Context(), func(ctx context.Context, ensemble *zookeeper.Ensemble) error {
		if err := child.Flags.Parse(parent.Args()); err != nil {
			return err
		}
		client, err := child.Client(nil)
		if err != nil {
			return err
		}
		defer client.Close()
		s, err := client.Session(ctx)
		if err == nil && s.Timeout() != 2*time.Second {
			t.Errorf("the session timeout is %v; want that of the parent's flag", s.Timeout())
		}
		return err
	})
	if err != nil || child.Path != parent.Path || child.Times != parent.Times {
		t.Errorf("%v; got %s and %v; want the parent's %s and %v", err, child.Path, child.Times, parent.Path, parent.Times)
	}
}

func TestWithoutAnEnsembleItDoesNotRun(t *testing.T) {
	d := New("demo", "/demo", time.Second, time.Second/2)
	if err := d.Flags.Parse([]string{"-zk", "127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	err := d.Run(t.Context(), func(context.Context, *zookeeper.Ensemble) error {
		t.Error("it runs")
		return nil
	})
	if err == nil {
		t.Error("no error")
	}
}
