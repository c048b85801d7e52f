/** What comes from outside becomes text nodes here, never markup. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

export function byId(id) {
  return document.getElementById(id)
}
