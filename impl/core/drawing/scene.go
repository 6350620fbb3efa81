package drawing

import (
	"image/color"
	"math"
)

// hour is the light of a scene.
type hour struct {
	top, low  color.NRGBA // of the sky
	orb       color.NRGBA
	night     bool
	shade     float64 // how much darker things are than by day
	orbHeight float64 // part of the sky above the orb
}

var hours = map[string]hour{
	"day":    {hex(0x6fb7e9), hex(0xdff1f7), hex(0xffe27a), false, 0, 0.3},
	"sunset": {hex(0x6a4c93), hex(0xffb26b), hex(0xff7b54), false, 0.15, 0.82},
	"dawn":   {hex(0x8fb8de), hex(0xffd6ba), hex(0xfff0c2), false, 0.05, 0.75},
	"night":  {hex(0x12183a), hex(0x37477f), hex(0xf3efd2), true, 0.42, 0.28},
	"storm":  {hex(0x4a5568), hex(0x9aa7b5), hex(0xc9d1d9), false, 0.25, 0.4},
	"space":  {hex(0x0b0820), hex(0x2d1b52), hex(0xf6d98b), true, 0.1, 0.3},
}

// place is a kind of landscape, with the words for it.
type place struct {
	words []string
	draw  func(*sheet, hour)
}

func places() []place {
	return []place{
		{[]string{"space", "galaxy", "planet", "cosmos", "nebula", "asteroid", "universe", "mars", "orbit"}, (*sheet).space},
		{[]string{"city", "cityscape", "skyline", "skyscraper", "street", "town", "cyberpunk", "metropolis", "building", "downtown"}, (*sheet).city},
		{[]string{"beach", "sea", "ocean", "coast", "island", "shore", "tropical", "wave", "sailing", "harbor"}, (*sheet).beach},
		{[]string{"forest", "wood", "jungle", "tree", "grove", "rainforest"}, (*sheet).forest},
		{[]string{"desert", "dune", "sahara", "canyon", "pyramid", "oasis"}, (*sheet).desert},
		{[]string{"mountain", "alps", "peak", "volcano", "valley", "hiking", "snow", "winter", "glacier", "lake"}, (*sheet).mountains},
		{[]string{"room", "interior", "kitchen", "office", "library", "cafe", "desk", "indoor", "bedroom", "studio"}, (*sheet).room},
		{[]string{"field", "meadow", "garden", "farm", "hill", "countryside", "village", "castle", "house", "park", "grass"}, (*sheet).meadow},
	}
}

// scene draws a place and the things in it.
func (s *sheet) scene() {
	light := s.hour()
	draw := one(s, []func(*sheet, hour){(*sheet).meadow, (*sheet).mountains, (*sheet).beach, (*sheet).forest, (*sheet).desert, (*sheet).shapes, (*sheet).shapes})
	if s.words.any("abstract", "pattern", "geometric", "shape") {
		draw = (*sheet).shapes
	} else {
		for _, p := range places() {
			if s.words.any(p.words...) {
				draw = p.draw
				break
			}
		}
	}
	draw(s, light)
	s.things()
}

func (s *sheet) hour() hour {
	v := s.words
	switch {
	case v.any("space", "galaxy", "planet", "cosmos", "nebula", "universe", "orbit"):
		return hours["space"]
	case v.any("sunset", "dusk", "evening", "twilight"):
		return hours["sunset"]
	case v.any("dawn", "sunrise", "morning"):
		return hours["dawn"]
	case v.any("night", "midnight", "moon", "moonlit", "starry", "star", "neon", "cyberpunk", "dark"):
		return hours["night"]
	case v.any("storm", "stormy", "rain", "rainy", "cloudy", "thunder", "fog", "foggy"):
		return hours["storm"]
	case v.any("sunny", "day", "noon", "summer"):
		return hours["day"]
	}
	return hours[one(s, []string{"day", "day", "dawn", "sunset", "night"})]
}

// sky fills everything above the horizon, with sun or moon, stars and clouds.
func (s *sheet) sky(l hour, horizon float64) {
	s.wash(0, 0, s.w, horizon+48, l.top, l.low)
	if l.night {
		for range 70 {
			s.DrawCircle(s.between(14, s.w-14), s.between(14, horizon*0.9), s.between(0.8, 2.6))
			s.filled(alpha(hex(0xffffff), 210))
		}
	}
	x, y := s.between(s.w*0.2, s.w*0.8), horizon*l.orbHeight
	for i := range 3 {
		s.DrawCircle(x, y, 96-float64(i)*17)
		s.filled(alpha(l.orb, 50))
	}
	s.DrawCircle(x, y, 44)
	s.inked(l.orb)
	if l.night {
		s.DrawCircle(x-14, y-8, 9)
		s.filled(darker(l.orb, 0.12))
		s.DrawCircle(x+14, y+14, 6)
		s.filled(darker(l.orb, 0.12))
	}
	clouds := 3
	if s.words.any("cloudy", "storm", "stormy", "cloud", "rain") {
		clouds = 7
	}
	for range clouds {
		s.cloudAt(s.between(40, s.w-40), s.between(40, horizon*0.55), s.between(0.5, 1.1), mix(lighter(l.low, 0.55), l.top, l.shade))
	}
	if s.words.any("rain", "rainy", "storm", "stormy") {
		for range 90 {
			rx, ry := s.between(0, s.w), s.between(0, horizon)
			s.DrawLine(rx, ry, rx-7, ry+20)
			s.stroke(alpha(hex(0xe8f1f8), 150), 2)
		}
	}
}

func (s *sheet) cloudAt(x, y, size float64, c color.NRGBA) {
	s.Push()
	s.Translate(x, y)
	s.Scale(size, size*0.8)
	s.MoveTo(-62, 22)
	s.CubicTo(-92, 18, -84, -24, -48, -18)
	s.CubicTo(-40, -54, 12, -54, 20, -22)
	s.CubicTo(58, -34, 84, 20, 54, 22)
	s.ClosePath()
	s.lined(alpha(c, 235), 3)
	s.Pop()
}

// ridge is a hill or mountain line across the picture: its heights around a level.
func (s *sheet) ridge(level, rough float64, points int, jagged bool, c color.NRGBA) {
	step := (s.w + 80) / float64(points)
	s.MoveTo(-40, s.h+40)
	x, y := -40.0, level
	s.LineTo(x, y)
	for range points {
		nx, ny := x+step, level+s.between(-rough, rough)
		if jagged {
			s.LineTo(nx, ny)
		} else {
			s.CubicTo(x+step/2, y, nx-step/2, ny, nx, ny)
		}
		x, y = nx, ny
	}
	s.LineTo(s.w+60, s.h+40)
	s.ClosePath()
	s.inked(c)
}

func (s *sheet) meadow(l hour) {
	horizon := s.h * 0.56
	s.sky(l, horizon)
	green := one(s, []color.NRGBA{hex(0x7fb069), hex(0x93b84f), hex(0x6a994e), hex(0xa7c957)})
	s.ridge(horizon, 34, 3, false, darker(mix(green, l.low, 0.4), l.shade))
	s.ridge(horizon+56, 26, 2, false, darker(mix(green, l.low, 0.2), l.shade))
	if s.words.any("castle", "palace", "fortress") {
		s.castle(s.w*s.between(0.35, 0.65), horizon+44, l)
	} else if s.words.any("house", "village", "farm", "cottage", "home") || s.chance(0.4) {
		for range max(1, s.words.count("house", "village", "cottage")) {
			s.house(s.between(s.w*0.15, s.w*0.85), horizon+s.between(40, 76), l)
		}
	}
	s.ridge(horizon+126, 20, 2, false, darker(green, l.shade))
	for range 4 {
		s.tree(s.between(20, s.w-20), horizon+s.between(120, 170), s.between(0.6, 1), l)
	}
	for range 26 {
		s.flower(s.between(16, s.w-16), s.between(horizon+170, s.h-18), l)
	}
}

func (s *sheet) mountains(l hour) {
	horizon := s.h * 0.6
	s.sky(l, horizon)
	rock := one(s, []color.NRGBA{hex(0x7d8597), hex(0x8d7b8f), hex(0x6b7f8c), hex(0x94846b)})
	for i := range 4 {
		x, top := s.w*(float64(i)+s.between(0.1, 0.9))/4, s.between(s.h*0.16, s.h*0.36)
		s.peak(x, top, horizon+40, s.between(130, 190), darker(mix(rock, l.low, 0.35-float64(i)*0.1), l.shade))
	}
	ground := hex(0x6a994e)
	if s.words.any("snow", "winter", "glacier", "ice", "snowy") {
		ground = hex(0xeef4f8)
	}
	s.ridge(horizon+30, 16, 3, false, darker(ground, l.shade))
	if s.words.any("lake", "river", "reflection") || s.chance(0.35) {
		s.DrawEllipse(s.w*0.5, horizon+116, s.w*0.36, 46)
		s.inked(mix(l.low, hex(0x3f88b5), 0.6))
		for i := range 5 {
			x := s.w*0.5 + s.between(-120, 120)
			s.DrawLine(x, horizon+92+float64(i)*12, x+44, horizon+92+float64(i)*12)
			s.stroke(alpha(hex(0xffffff), 160), 3)
		}
	}
	for range 9 {
		s.pine(s.between(10, s.w-10), horizon+s.between(80, 210), s.between(0.6, 1.2), l)
	}
}

// peak is a mountain with snow.
func (s *sheet) peak(x, top, base, half float64, c color.NRGBA) {
	s.polygon(x-half, base, x, top, x+half, base)
	s.inked(c)
	s.polygon(x, top, x+half, base, x+half*0.2, base)
	s.filled(alpha(ink, 38))
	cap := (base - top) * 0.26
	slope := half / (base - top)
	s.polygon(x, top, x+cap*slope, top+cap, x+cap*slope*0.4, top+cap*0.72, x, top+cap*1.15, x-cap*slope*0.4, top+cap*0.74, x-cap*slope, top+cap)
	s.lined(hex(0xfbfdff), 3)
}

func (s *sheet) forest(l hour) {
	horizon := s.h * 0.5
	s.sky(l, horizon)
	leaf := hex(0x4c8a52)
	if s.words.any("autumn", "fall") {
		leaf = hex(0xc8763a)
	}
	s.ridge(horizon-10, 30, 5, false, darker(mix(leaf, l.low, 0.55), l.shade))
	for i := range 3 {
		s.ridge(horizon+40+float64(i)*74, 14, 3, false, darker(mix(leaf, l.low, 0.45-float64(i)*0.2), l.shade))
		for j := range 7 {
			x, size := s.w*(float64(j)+s.between(0, 1))/7, 0.7+float64(i)*0.4
			if s.chance(0.5) {
				s.pine(x, horizon+56+float64(i)*84, size, l)
			} else {
				s.tree(x, horizon+56+float64(i)*84, size, l)
			}
		}
	}
	s.polygon(s.w*0.47, horizon+60, s.w*0.53, horizon+60, s.w*0.72, s.h, s.w*0.34, s.h)
	s.inked(darker(hex(0xd9b98a), l.shade))
}

func (s *sheet) desert(l hour) {
	horizon := s.h * 0.52
	s.sky(l, horizon)
	sand := one(s, []color.NRGBA{hex(0xe6b566), hex(0xdf9f5f), hex(0xedc98a)})
	if s.words.any("pyramid", "egypt") || s.chance(0.3) {
		for i := range 3 {
			x, high := s.w*(0.25+0.28*float64(i)), s.between(70, 150)
			s.polygon(x-high, horizon+20, x, horizon+20-high, x+high, horizon+20)
			s.inked(darker(sand, 0.1+l.shade))
			s.polygon(x, horizon+20-high, x+high, horizon+20, x+high*0.2, horizon+20)
			s.filled(alpha(ink, 50))
		}
	}
	for i := range 4 {
		s.ridge(horizon+14+float64(i)*58, 26, 2, false, darker(mix(sand, l.low, 0.3-float64(i)*0.1), l.shade))
	}
	for range 5 {
		s.cactus(s.between(24, s.w-24), s.between(horizon+70, s.h-30), s.between(0.6, 1.2), l)
	}
}

func (s *sheet) space(l hour) {
	s.wash(0, 0, s.w, s.h, l.top, l.low)
	glow := one(s, []color.NRGBA{hex(0xb05cd6), hex(0x3f8fd9), hex(0xd9577f), hex(0x3fc9a5)})
	for range 26 {
		s.DrawCircle(s.w/2+s.between(-0.5, 0.5)*s.w, s.h/2+s.between(-0.25, 0.25)*s.h, s.between(24, 90))
		s.filled(alpha(glow, 22))
	}
	for range 150 {
		s.DrawCircle(s.between(12, s.w-12), s.between(12, s.h-12), s.between(0.7, 2.6))
		s.filled(alpha(hex(0xffffff), 220))
	}
	for i := range max(2, s.words.count("planet")) {
		r := s.between(26, 58)
		if i == 0 {
			r = s.between(78, 124)
		}
		s.planet(s.between(r, s.w-r), s.between(r, s.h-r), r)
	}
}

func (s *sheet) planet(x, y, r float64) {
	base := one(s, append(fabrics, hex(0xe07a5f), hex(0xf2cc8f), hex(0x81b29a)))
	s.DrawCircle(x, y, r)
	s.inked(base)
	s.Push()
	s.DrawCircle(x, y, r-2)
	s.Clip()
	for i := range 4 {
		s.DrawEllipse(x, y-r+r*0.5*float64(i)+s.between(0, r*0.3), r*1.1, r*0.12)
		s.filled(alpha(lighter(base, 0.35), 190))
	}
	s.DrawCircle(x+r*0.5, y+r*0.4, r*1.05)
	s.filled(alpha(ink, 55))
	s.ResetClip()
	s.Pop()
	if r > 70 || s.chance(0.4) {
		s.Push()
		s.RotateAbout(-0.35, x, y)
		s.DrawEllipticalArc(x, y, r*1.7, r*0.36, 0.35, math.Pi-0.35)
		s.stroke(ink, 13)
		s.DrawEllipticalArc(x, y, r*1.7, r*0.36, 0.35, math.Pi-0.35)
		s.stroke(lighter(base, 0.55), 7)
		s.Pop()
	}
}
