package faults

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// assault is a way of keeping a server's connection for nothing.
type assault struct {
	name   string
	share  int           // of a hundred connections
	opens  string        // what is sent at once; KEY is the key
	drips  string        // what is sent after each pause, until the connection ends
	pause  time.Duration // a second by default
	deaf   bool          // nothing is read
	within time.Duration // the time that the server has to close the connection
	says   string        // how its answer begins, when there is one; KEY there is none of
}

const (
	heldMost     = 2 * time.Minute // by a test whose server does not close
	dripsHeaders = 10 * time.Second
	dripsBody    = 30 * time.Second
	chatOf       = "POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
	keyOf        = "Authorization: Bearer KEY\r\n"
)

var assaults = []assault{
	{name: "nothing is said", share: 40, within: dripsHeaders},
	{name: "half a line", share: 20, opens: "GET /api/v1/age", within: dripsHeaders},
	{name: "headers drip", share: 5, opens: chatOf + "X-A: ", drips: "a", within: dripsHeaders},
	{name: "header lines drip", share: 5, opens: chatOf, drips: "X-A: a\r\n", within: dripsHeaders},
	{name: "1 MiB of header", share: 1, opens: chatOf + "X-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", within: dripsHeaders, says: "HTTP/1.1 431"},
	{name: "20,000 header lines", share: 1, opens: chatOf + strings.Repeat("X:\r\n", 20_000) + "\r\n", within: dripsHeaders, says: "HTTP/1.1 431"},
	{name: "a body drips", share: 3, opens: chatOf + keyOf + "Content-Length: 1000\r\n\r\n{", drips: " ", within: dripsBody, says: "HTTP/1.1 400"},
	{name: "a body of nobody drips", share: 3, opens: chatOf + "Content-Length: 1000\r\n\r\n{", drips: " ", within: dripsBody, says: "HTTP/1.1 401"},
	{name: "a body of another type drips", share: 2, opens: strings.Replace(chatOf, "application/json", "text/plain", 1) + keyOf + "Content-Length: 1000\r\n\r\n{", drips: " ", within: dripsBody, says: "HTTP/1.1 415"},
	{name: "a body that nobody wants drips", share: 2, opens: "GET /api/v1/agents HTTP/1.1\r\nHost: a\r\n" + keyOf + "Content-Length: 1000\r\n\r\n", drips: " ", within: dripsBody, says: "HTTP/1.1 200"},
	{name: "a body for a page drips", share: 2, opens: "GET /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", drips: " ", within: dripsBody},
	{name: "a body for no path drips", share: 2, opens: "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", drips: " ", within: dripsBody, says: "HTTP/1.1 404"},
	{name: "a form drips", share: 3, opens: "POST /api/v1/projects HTTP/1.1\r\nHost: a\r\n" + keyOf + "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"project_name\"\r\n\r\n", drips: "a", within: dripsBody, says: "HTTP/1.1 400"},
	{name: "chunks drip for ever", share: 3, opens: chatOf + keyOf + "Transfer-Encoding: chunked\r\n\r\n", drips: "1\r\n \r\n", within: dripsBody, says: "HTTP/1.1 400"},
	{name: "chunks pour for ever", share: 1, opens: chatOf + keyOf + "Transfer-Encoding: chunked\r\n\r\n", drips: "4000\r\n" + strings.Repeat(" ", 0x4000) + "\r\n", pause: time.Millisecond,
		within: dripsBody, says: "HTTP/1.1 413"},
	{name: "the body is asked for and does not come", share: 3, opens: chatOf + keyOf + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n", within: dripsBody, says: "HTTP/1.1 100"},
	{name: "the body is not asked for", share: 2, opens: "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		within: dripsHeaders, says: "HTTP/1.1 401"},
	{name: "answers are asked for and not read", share: 2, opens: strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", 50), drips: "GET /docs HTTP/1.1\r\nHost: a\r\n\r\n", pause: 100 * time.Millisecond, deaf: true, within: dripsBody},
}

// Connections in all the ways of keeping a server busy for nothing are closed in time, and give back their descriptors.
// Whoever else asks that server meanwhile waits no longer than one who asks another server on the same
// machine. A machine that is busy with others gets as much longer as that other server was seen to answer late.
func TestHostileConnectionsAreLetGo(t *testing.T) {
	many := 2_000
	if long() {
		many = 8_000
	}
	c := newCluster(t, 2, "")
	a := c.account("unlimited", 1_000_000_000)
	c.pipeline(t, a.Key)
	before := c.descriptors(t, 0)
	stop, others := make(chan struct{}), &bystanders{cluster: c, key: a.Key}
	var asking, hostile sync.WaitGroup
	asking.Go(func() { others.ask(t, stop) })
	var late atomic.Int64 // nanoseconds beyond the time that the server had, at most
	for _, one := range assaults {
		for range max(1, many*one.share/100) {
			hostile.Go(func() {
				took := one.hold(t, strings.TrimPrefix(c.url(0), "http://"), a.Key)
				if over := int64(took - one.within); over > late.Load() {
					late.Store(over)
					t.Logf("%s: closed after %v of %v", one.name, took.Round(time.Millisecond), one.within)
				}
			})
		}
	}
	hostile.Wait()
	close(stop)
	asking.Wait()
	if over, grace := time.Duration(late.Load()), time.Second+3*others.longest(1); over > grace {
		t.Errorf("a connection was held %v too long, on a machine that answers others up to %v late", over, grace)
	}
	attacked, spared := others.middle(0), others.middle(1)
	if attacked > 2*spared {
		t.Errorf("others are answered within %v (p50) by the attacked server, within %v by the other", attacked, spared)
	}
	eventually(t, "descriptors are given back", time.Minute, func() bool { return c.descriptors(t, 0) <= before+others.many() })
	t.Logf("%d connections; others are answered within %v (p50) by the attacked server, %v by the other, %d times", many, attacked, spared, len(others.took[0]))
}

// hold keeps a connection for as long as it can and tells how long that was. An answer must begin as it shall.
func (o assault) hold(t *testing.T, address, key string) time.Duration {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = conn.Close() }()
	began, closed := time.Now(), make(chan struct{})
	_ = conn.SetDeadline(began.Add(heldMost)) // it cannot be closed already
	if !o.deaf {
		go func() { o.listen(t, conn); close(closed) }()
	}
	_, err = io.WriteString(conn, strings.ReplaceAll(o.opens, "KEY", key))
	tick := time.NewTicker(cmp.Or(o.pause, time.Second))
	defer tick.Stop()
	for o.deaf || err == nil && o.drips != "" {
		select {
		case <-closed:
			return time.Since(began)
		case <-tick.C:
		}
		if _, err = io.WriteString(conn, o.drips); err != nil && o.deaf {
			return time.Since(began)
		}
	}
	<-closed
	return time.Since(began)
}

func (o assault) listen(t *testing.T, conn net.Conn) {
	in := bufio.NewReader(conn)
	// Whoever still sends when the connection is closed may lose the answer.
	if said, _ := in.ReadString('\n'); said != "" && o.says != "" && !strings.HasPrefix(said, o.says) {
		t.Errorf("%s: answered %q", o.name, said)
	}
	_, _ = io.Copy(io.Discard, in)
}

// pipeline sends many requests at once, some with bodies that nobody wants, and wants all their answers in order.
func (c *cluster) pipeline(t *testing.T, key string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url(0), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const many = 300
	go func() {
		for i := range many {
			path, body := "/api/v1/agents", ""
			if i%3 == 1 {
				path, body = fmt.Sprintf("/nowhere-%d", i), "unwanted"
			}
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, key, len(body), body)
		}
	}()
	in := bufio.NewReader(conn)
	for i := range many {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if want := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[i%3 == 1]; res.StatusCode != want {
			t.Fatalf("answer %d is %d, want %d", i, res.StatusCode, want)
		}
	}
}

// descriptors are the files and connections that server i has open.
func (c *cluster) descriptors(t *testing.T, i int) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.servers[i].cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// bystanders ask both servers of a cluster in turns.
type bystanders struct {
	cluster *cluster
	key     string
	took    [2][]time.Duration // by server, in order of length once ask has ended
}

func (b *bystanders) ask(t *testing.T, stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			for i := range b.took {
				slices.Sort(b.took[i])
			}
			return
		case <-tick.C:
		}
		sent := time.Now()
		res, err := b.cluster.http.Do(b.cluster.request(http.MethodGet, i%2, "/api/v1/agents", b.key, nil))
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("server %d answers others %v, %v", i%2, res, err)
			continue
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		b.took[i%2] = append(b.took[i%2], time.Since(sent))
	}
}

// many is how many connections they may have to one server, and it to its database for them.
func (b *bystanders) many() int { return 16 }

func (b *bystanders) middle(i int) time.Duration { return b.took[i][len(b.took[i])/2] }

func (b *bystanders) longest(i int) time.Duration { return b.took[i][len(b.took[i])-1] }
