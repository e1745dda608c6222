package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestArgumentsAreChecked(t *testing.T) {
	client, err := session.Open("127.0.0.1:1", session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, c := range []struct {
		client *session.Client
		path   string
		cfg    cache.Config
		want   string
	}{
		{nil, "/c", cache.Config{}, "the client is nil"},
		{client, "", cache.Config{}, "cache: path is empty"},
		{client, "c", cache.Config{}, `cache: path "c" does not begin with /`},
		{client, "/c/", cache.Config{}, `path "/c/" ends with /`},
		{client, "/c", cache.Config{Depth: 9}, "Config.Depth is 9; want DepthTree"},
		{client, "/c", cache.Config{MaxNodes: -1}, "Config.MaxNodes is -1; want at least 1"},
		{client, "/c", cache.Config{MaxBytes: -1}, "Config.MaxBytes is -1; want at least 1"},
		{client, "/c", cache.Config{Recheck: time.Millisecond}, "Config.Recheck is 1ms; want at least 1s"},
	} {
		if _, err := cache.New(c.client, c.path, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q with %+v: %v; want it to tell that %s", c.path, c.cfg, err, c.want)
		}
	}
	c, err := cache.New(client, "/c", cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for path, want := range map[string]string{"": "want /c or", "c": "want /c or", "/cc": "want /c or", "/c/": "ends with /", "/c//d": "empty"} {
		if _, _, err := c.Get(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Get of %q: %v; want it to tell that %s", path, err, want)
		}
	}
}
