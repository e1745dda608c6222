package group

import (
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe/internal/ident"
)

func TestAZnodeBeginsAtAVersionThatNoFormerOneHad(t *testing.T) {
	for _, c := range []struct {
		there      int32
		data, want int
	}{
		{0, 0, 1}, {1, 0, 2}, {7, 0, 8}, {maxFirst - 1, 0, maxFirst},
		{maxFirst, 0, 1}, {1<<31 - 1, 0, 1}, {-1 << 31, 0, 1}, {-2, 0, 1},
		{0, ident.MaxData, 1}, {1, ident.MaxData, 2}, {2, ident.MaxData, 1},
	} {
		if got := first(zk.Stat{Version: c.there}, c.data); got != c.want {
			t.Errorf("%d bytes after version %d: begins at %d; want %d", c.data, c.there, got, c.want)
		}
	}
	for data := 0; data <= ident.MaxData; data += 1000 {
		for there := range int32(2 * maxFirst) {
			if sets := first(zk.Stat{Version: there}, data) - 2; data+sets*perSet > ident.MaxData {
				t.Fatalf("%d bytes after version %d: %d more sets do not fit", data, there, sets)
			}
		}
	}
}
