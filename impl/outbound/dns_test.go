package outbound_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// dns is a name server with a script per name: each query takes the next answer
// (addresses, or "=name" for an alias), the last one repeating, all with TTL 0.
type dns struct {
	conn  net.PacketConn
	mu    sync.Mutex
	names map[string][]string
}

const typeA, typeCNAME, typeAAAA = 1, 5, 28

func newDNS(t *testing.T, names map[string][]string) *dns {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d := &dns{conn: conn, names: names}
	go d.serve()
	return d
}

func (d *dns) resolver() *net.Resolver {
	return &net.Resolver{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.conn.LocalAddr().String())
	}}
}

func (d *dns) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = d.conn.WriteTo(d.answer(buf[:n]), from)
	}
}

// answer echoes the question and appends the records; addresses of the other
// family than asked for are left out, an alias comes with its target's.
func (d *dns) answer(query []byte) []byte {
	name, end := readName(query, 12)
	kind := binary.BigEndian.Uint16(query[end:])
	records, found := d.records(name, kind)
	head := append([]byte{}, query[:end+4]...)
	binary.BigEndian.PutUint16(head[2:], 0x8180)
	if !found {
		head[3] |= 3 // no such name
	}
	binary.BigEndian.PutUint16(head[6:], uint16(len(records)))
	binary.BigEndian.PutUint16(head[10:], 0)
	for _, r := range records {
		head = append(head, r...)
	}
	return head
}

func (d *dns) records(name string, kind uint16) (out [][]byte, found bool) {
	for _, item := range strings.Fields(d.next(name, kind)) {
		found = true
		if target, ok := strings.CutPrefix(item, "="); ok {
			more, _ := d.records(target, kind)
			out = append(append(out, record(name, typeCNAME, packName(target))), more...)
			continue
		}
		addr := netip.MustParseAddr(item)
		if addr.Is4() && kind == typeA || addr.Is6() && kind == typeAAAA {
			out = append(out, record(name, kind, addr.AsSlice()))
		}
	}
	return out, found
}

// next moves the script on for queries of IPv4 addresses: the resolver asks for
// both families at once.
func (d *dns) next(name string, kind uint16) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	script := d.names[strings.ToLower(name)]
	if len(script) == 0 {
		return ""
	}
	if len(script) > 1 && kind == typeA {
		d.names[strings.ToLower(name)] = script[1:]
	}
	return script[0]
}

func record(name string, kind uint16, data []byte) []byte {
	r := binary.BigEndian.AppendUint16(packName(name), kind)
	r = append(r, 0, 1, 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint16(r, uint16(len(data))), data...)
}

func packName(name string) (out []byte) {
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}

func readName(msg []byte, at int) (name string, end int) {
	for msg[at] != 0 {
		size := int(msg[at])
		name += string(msg[at+1:at+1+size]) + "."
		at += 1 + size
	}
	return name, at + 1
}
