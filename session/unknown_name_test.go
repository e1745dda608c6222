package session_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
)

// A resolver refuses this name without asking anybody.
func TestAnUnknownNameIsInTheLog(t *testing.T) {
	log := newLogbook(t)
	open(t, "no..such.host:2181", session.Config{Logger: slog.New(log)})
	line := log.await(0, "no server can be used")
	if !strings.Contains(line.text, "no..such.host:2181 (resolve: ") {
		t.Errorf("the line is %q", line.text)
	}
}

// A resolver takes longer than people want to wait for a log line.
func TestANameServerThatDoesNotAnswerIsInTheLogWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		usual := net.DefaultResolver
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		t.Cleanup(func() { net.DefaultResolver = usual }) // after the client is closed
		log, begun := newLogbook(t), time.Now()
		open(t, "zk1.test:2181", session.Config{Logger: slog.New(log)})
		line := log.await(0, "no server can be used")
		if !strings.Contains(line.text, "zk1.test:2181 (resolve: lookup zk1.test: no answer from a name server") {
			t.Errorf("the line is %q", line.text)
		}
		if after := line.at.Sub(begun); after > 5*time.Second {
			t.Errorf("it came after %v", after)
		}
	})
}
