package session

import (
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// A server accepts a beat with as many checks and creates as it has room for.
func TestTheLargestBeatIsNotTooLarge(t *testing.T) {
	for _, length := range []int{1, 50, 4096, maxPath} {
		s := &Session{common: &common{}, heart: heartbeat{path: "/" + strings.Repeat("b", maxPath-1), exists: true}}
		for range maxBytesTogether/(overhead+length) + 1 {
			s.holds = append(s.holds, &Hold{s: s, kept: true, own: &Watch{full: strings.Repeat("p", length)}})
		}
		create := wire.Op{Kind: wire.OpCreate, Path: "/p"}
		create.Data = make([]byte, s.createsRoom()-sizes([]wire.Op{create}))
		ops := []wire.Op{create, {Kind: wire.OpSetData, Path: s.heart.path, Data: []byte("4s")}}
		for _, h := range s.nextPlaces(s.heart.until) {
			ops = append(ops, wire.Op{Kind: wire.OpCheck, Path: h.own.full})
		}
		if err := s.check(ops); err != nil || len(ops) < 8 {
			t.Errorf("%d operations, %v", len(ops), err)
		}
	}
}
