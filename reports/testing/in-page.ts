/**
 * What tests ask inside the browser, as its own JavaScript: the project's types know Node, not a document.
 */

/** Opens everything that can be unfolded. */
export const openDetails = `for (const details of document.querySelectorAll('details')) details.open = true`

/** Texts with less than 4.5 : 1 against what they stand on (WCAG 2, level AA). */
export const poorContrast = String.raw`(() => {
  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((value) => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor
      if (channels(colour)[3] !== 0) return colour
    }
    return 'rgb(255,255,255)'
  }
  const texts = [...document.querySelectorAll('h1,h2,h3,p,td,th,a,li,dt,dd,figcaption,summary,button,code,.next,svg text')]
  return texts.flatMap((element) => {
    const look = getComputedStyle(element)
    const [a, b] = [luminance(element instanceof SVGElement ? look.fill : look.color), luminance(ground(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    return ratio < 4.5 ? [element.tagName + ' ' + element.textContent.slice(0, 30) + ' ' + ratio.toFixed(2)] : []
  })
})()`

/** Pairs of labels of one drawing that stand on each other. */
export const overlappingLabels = `[...document.querySelectorAll('svg.marks, svg.path')].flatMap((svg) => {
  const boxes = [...svg.querySelectorAll('text')]
    .filter((text) => text.textContent.trim())
    .map((text) => ({ words: text.textContent, box: text.getBoundingClientRect() }))
  return boxes.flatMap((one, index) =>
    boxes.slice(index + 1).flatMap((two) => {
      const across = Math.min(one.box.right, two.box.right) - Math.max(one.box.left, two.box.left)
      const along = Math.min(one.box.bottom, two.box.bottom) - Math.max(one.box.top, two.box.top)
      return across > 1 && along > 3 ? [one.words + ' / ' + two.words] : []
    }),
  )
})`
