package lines_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/examples/internal/lines"
	"github.com/zkrecipe/zkrecipe/session"
)

// Several goroutines write about a session, and each makes sure first that the session was told.
func TestASessionIsToldOnce(t *testing.T) {
	client, err := session.Open("127.0.0.1:1", session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var w bytes.Buffer
	out := lines.New(&w, "a")
	for _, id := range []int64{5, 5, 6, 6} {
		out.Session(id, client)
	}
	text := w.String()
	if strings.Count(text, `"session":"0x5"`) != 1 || strings.Count(text, `"session":"0x6"`) != 1 || strings.Count(text, "\n") != 2 {
		t.Errorf("lines:\n%s", text)
	}
}
