"""What the browser tests ask of a page's colours."""

# Texts whose contrast with what lies behind them is below WCAG's AA: 4.5, or 3 where the letters are large.
FAINT = """() => {
  const parse = (text) => { // rgb(…) counts to 255, and color(srgb …), which a mixed colour becomes, to 1
    const n = text.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number), most = text.startsWith("color(") ? 255 : 1;
    return [n[0] * most, n[1] * most, n[2] * most, n.length > 3 ? n[3] : 1];
  };
  const over = (a, b) => [0, 1, 2].map((k) => a[k] * a[3] + b[k] * (1 - a[3])).concat(1);
  const light = (c) => [0, 1, 2].map((k) => { const v = c[k] / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const grounds = new Map();
  const behind = (element) => {
    if (!element) return [255, 255, 255, 1];
    if (!grounds.has(element)) grounds.set(element, over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement)));
    return grounds.get(element);
  };
  const faint = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let node, seen = 0;
  while ((node = walker.nextNode())) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, svg, .skip, .unseen, .copy") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    if (style.visibility === "hidden") continue;
    seen += 1;
    const ground = behind(element), text = over(parse(style.color), ground);
    const [high, low] = [light(text), light(ground)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faint.set(`${element.tagName}.${element.className} ${style.color} on ${ground.map(Math.round)}`, `${ratio.toFixed(2)} "${node.data.trim().slice(0, 30)}"`);
  }
  return { seen, faint: Object.fromEntries(faint) };
}"""
