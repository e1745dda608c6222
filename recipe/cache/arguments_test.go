package cache_test

import (
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestArgumentsAreChecked(t *testing.T) {
	client := stage.Offline(t)
	refuses := func(client *session.Client, path string, cfg cache.Config, says string) {
		t.Helper()
		_, err := cache.New(client, path, cfg)
		stage.Says(t, err, says)
	}
	refuses(nil, "/c", cache.Config{}, "the client is nil")
	refuses(client, "", cache.Config{}, "cache: path is empty")
	refuses(client, "c", cache.Config{}, `cache: path "c" does not begin with /`)
	refuses(client, "/c/", cache.Config{}, `path "/c/" ends with /`)
	refuses(client, "/c", cache.Config{Depth: 9}, "Config.Depth is 9; want DepthTree")
	refuses(client, "/c", cache.Config{MaxNodes: -1}, "Config.MaxNodes is -1; want at least 1")
	refuses(client, "/c", cache.Config{MaxBytes: -1}, "Config.MaxBytes is -1; want at least 1")
	refuses(client, "/c", cache.Config{Recheck: time.Millisecond}, "Config.Recheck is 1ms; want at least 1s")
	c, err := cache.New(client, "/c", cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for path, want := range map[string]string{"": "want /c or", "c": "want /c or", "/cc": "want /c or", "/c/": "ends with /", "/c//d": "empty"} {
		_, _, err := c.Get(t.Context(), path)
		stage.Says(t, err, want)
	}
}
