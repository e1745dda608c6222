package session

import (
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
)

// A beat with as many checks as it has room for, and as much as it may take along, is a request that a
// server takes.
func TestTheLargestBeatIsNotTooLarge(t *testing.T) {
	for _, length := range []int{1, 50, 4096, maxPath} {
		s := &Session{common: &common{}, heart: heartbeat{path: "/" + strings.Repeat("b", maxPath-1), exists: true}}
		for range maxBytesTogether/(overhead+length) + 1 {
			s.holds = append(s.holds, &Hold{s: s, kept: true, own: &Watch{full: strings.Repeat("p", length)}})
		}
		create := &zk.CreateRequest{Path: "/p"}
		create.Data = make([]byte, s.boardable()-sizes([]any{create}))
		ops := []any{create, &zk.SetDataRequest{Path: s.heart.path, Data: []byte("4s")}}
		for _, h := range s.nextPlaces(s.heart.until) {
			ops = append(ops, &zk.CheckVersionRequest{Path: h.own.full})
		}
		if err := checkSize(ops...); err != nil || len(ops) < 8 {
			t.Errorf("%d operations, %v", len(ops), err)
		}
	}
}
