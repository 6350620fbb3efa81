package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Versions that the comparison is made with. Newer hono servers answer every stream of the gateway with 500.
const (
	portkeyPackages = `{"private":true,"dependencies":{"@portkey-ai/gateway":"1.15.2","@hono/node-server":"1.13.7"},"overrides":{"@hono/node-server":"1.13.7"}}`
	litellmPackages = "litellm[proxy]==1.106.2 prisma==0.15.0"
	peerStart       = 3 * time.Minute // LiteLLM imports for a while
)

// peer is somebody else's gateway in front of the same upstream.
type peer struct {
	lane
	header string // what requests carry beside
}

// comparePeers runs the same loads against Portkey's gateway and LiteLLM's
// proxy. Both are kept in the user's cache folder, outside the repository.
func comparePeers(b *bench) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	folder := filepath.Join(cache, "parley-peers")
	g := b.rig
	peers := []peer{{lane: g.thin()}, {lane: g.passing()}, {lane: g.durable()}}
	for _, start := range []func(*bench, string) (peer, error){(*bench).portkey, (*bench).litellm} {
		p, err := start(b, folder)
		if err != nil {
			b.report.Remarks = append(b.report.Remarks, err.Error())
			continue
		}
		peers = append(peers, p)
	}
	if len(peers) == 3 {
		return errors.New("no peer could be started")
	}
	return errors.Join(b.race(peers, "whole", program{Tokens: 32, AtOnce: true}, connections, false),
		b.race(peers, "streamed", program{Tokens: 32}, 1, true))
}

// race measures all in turns and adds a line for each.
func (b *bench) race(peers []peer, kind string, p program, conns int, streamed bool) error {
	if err := b.rig.tell(p); err != nil {
		return err
	}
	runs := make([][]run, len(peers))
	for round := range b.rounds + 1 {
		for i, one := range peers {
			b.rig.loadEnv = []string{"BENCH_HEADER=" + one.header}
			d := one.load(conns, streamed, p)
			d.For = b.each
			r, err := b.rig.measure(one.lane, d)
			if err != nil {
				return err
			}
			if round > 0 { // the first warms
				runs[i] = append(runs[i], r)
				b.report.Raw["peers "+kind] = append(b.report.Raw["peers "+kind], r)
			}
		}
	}
	for i, one := range peers {
		p50 := middle(runs[i], func(r run) float64 { return r.Result.Latency.P50 })
		if streamed {
			p50 = middle(runs[i], firstPiece)
		}
		b.report.Details = append(b.report.Details, detail{Lane: one.name + ", " + kind, Rate: middle(runs[i], rate), P50: p50,
			P99: middle(runs[i], func(r run) float64 { return r.Result.Latency.P99 }), CPU: middle(runs[i], cpuPerRequest),
			Postgres: middle(runs[i], func(r run) float64 { return r.perRequest(r.Postgres) })})
		if i < 3 {
			continue
		}
		for n, ours := range peers[1:3] {
			b.report.add(row{Measure: fmt.Sprintf("%s ÷ %s, %s: requests/s", ours.name, one.name, kind), Figure: ratio(runs[n+1], runs[i], rate)},
				row{Measure: fmt.Sprintf("%s ÷ %s, %s: CPU per request, Postgres included", ours.name, one.name, kind), Figure: ratio(runs[n+1], runs[i], costPerRequest)})
		}
	}
	return nil
}

// install runs a command once; the mark is left when it has succeeded.
func (b *bench) install(folder string, commands ...string) error {
	mark := filepath.Join(folder, "installed")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, command := range commands {
		cmd := exec.CommandContext(b.rig.ctx, "sh", "-c", command)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
	}
	return os.WriteFile(mark, nil, 0o600)
}

// onLoopback makes Node's servers listen on the loopback alone; the gateway has no option for it.
const onLoopback = `const { Server } = require("node:net"); const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest.filter((given) => typeof given === "function"));
};`

// portkey starts Portkey's gateway. It stores nothing: its like is lane P.
func (b *bench) portkey(cache string) (peer, error) {
	folder := filepath.Join(cache, "portkey")
	err := b.install(folder, "cat > package.json <<'END'\n"+portkeyPackages+"\nEND", "npm install --no-audit --no-fund --ignore-scripts")
	if err != nil {
		return peer{}, err
	}
	hook := filepath.Join(b.rig.folder, "loopback.cjs")
	if err := os.WriteFile(hook, []byte(onLoopback), 0o600); err != nil {
		return peer{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return peer{}, err
	}
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	p, err := b.rig.start("portkey", addr, []string{"TRUSTED_CUSTOM_HOSTS=127.0.0.1", "NODE_ENV=production"}, "node", "--require", hook,
		filepath.Join(folder, "node_modules/@portkey-ai/gateway/build/start-server.js"), "--port="+port, "--headless")
	if err != nil {
		return peer{}, err
	}
	l := b.rig.direct()
	l.name, l.addr, l.pid = "Portkey", addr, p.cmd.Process.Pid
	return peer{lane: l, header: "x-portkey-provider: openai\r\nx-portkey-custom-host: http://" + b.rig.upstream.addr + "/v1\r\n"}, b.answers(p, "/")
}

// answers waits until a peer serves HTTP, whatever the status.
func (b *bench) answers(p *process, path string) error {
	ctx, cancel := context.WithTimeout(b.rig.ctx, peerStart)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			return response.Body.Close()
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(p.log.Name())
			return fmt.Errorf("%s does not answer: %s", p.name, log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// litellmConfig is the proxy with one model, a master key and, when it has a
// database, virtual keys and a log of what is spent, which are its defaults then.
const litellmConfig = `model_list:
  - model_name: mock
    litellm_params: {model: openai/mock, api_base: "http://%s/v1", api_key: none}
general_settings:
  master_key: sk-bench
`

// litellm starts LiteLLM's proxy with one worker. Its database client is
// generated by a program that it fetches from a host of its own; where that is
// out of reach, it runs without a database and so without virtual keys and a
// log of what is spent, and a remark says so.
func (b *bench) litellm(cache string) (peer, error) {
	folder := filepath.Join(cache, "litellm")
	if err := b.install(folder, "python3 -m venv .", "bin/pip install --quiet "+litellmPackages); err != nil {
		return peer{}, err
	}
	env := []string{"LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_MODE=PRODUCTION", "LITELLM_LOG=ERROR", "LITELLM_MASTER_KEY=sk-bench",
		"PATH=" + filepath.Join(folder, "bin") + ":" + os.Getenv("PATH")}
	config := fmt.Sprintf(litellmConfig, b.rig.upstream.addr)
	stores := b.generatePrisma(folder, env)
	if stores == nil {
		w, err := b.litellmDatabase()
		if err != nil {
			return peer{}, err
		}
		env = append(env, "DATABASE_URL="+w)
	} else {
		b.report.Remarks = append(b.report.Remarks, "LiteLLM ran without a database, so without virtual keys and a log of what is spent: "+stores.Error())
	}
	path := filepath.Join(b.rig.folder, "litellm.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return peer{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return peer{}, err
	}
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	p, err := b.rig.start("litellm", addr, env, filepath.Join(folder, "bin/litellm"), "--config", path, "--host", "127.0.0.1", "--port", port, "--num_workers", "1")
	if err != nil {
		return peer{}, err
	}
	l := b.rig.direct()
	l.name, l.addr, l.pid, l.postgres, l.keys = "LiteLLM", addr, p.cmd.Process.Pid, stores == nil, []string{"sk-bench"}
	if err := b.answers(p, "/health/liveliness"); err != nil || stores != nil {
		return peer{lane: l}, err
	}
	l.keys, err = b.virtualKeys(addr)
	return peer{lane: l}, err
}

// generatePrisma makes LiteLLM's database client; its error says why there is none.
func (b *bench) generatePrisma(folder string, env []string) error {
	schemas, _ := filepath.Glob(filepath.Join(folder, "lib/python3*/site-packages/litellm/proxy/schema.prisma"))
	if len(schemas) == 0 {
		return errors.New("its schema is not where it was")
	}
	ctx, cancel := context.WithTimeout(b.rig.ctx, peerStart)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(folder, "bin/prisma"), "generate", "--schema", schemas[0])
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("its database client cannot be generated: %w: %.300s", err, out)
	}
	return nil
}

// litellmDatabase makes a database that is reached by TCP, which its client wants.
func (b *bench) litellmDatabase() (string, error) {
	dsn, err := b.rig.database("litellm")
	if err != nil {
		return "", err
	}
	w, err := newWire(dsn)
	if err != nil {
		return "", err
	}
	return w.dsn, nil
}

// virtualKeys makes as many keys as there are tenants.
func (b *bench) virtualKeys(addr string) ([]string, error) {
	var keys []string
	for range tenants {
		r, err := http.NewRequestWithContext(b.rig.ctx, http.MethodPost, "http://"+addr+"/key/generate", strings.NewReader("{}"))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer sk-bench")
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		_, rest, found := strings.Cut(string(raw), `"key":"`)
		key, _, _ := strings.Cut(rest, `"`)
		if err != nil || !found {
			return nil, fmt.Errorf("LiteLLM makes no key: %s", raw)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
