/** What runs in the page: the scheme's switch and the values on hover. Everything else works without it. */

/** In the head, before anything is drawn: a stored choice of scheme. Storage may be refused (file:, private windows). */
export const earlyScript = `try{var s=localStorage.getItem('datapath-bench-scheme');if(s==='light'||s==='dark')document.documentElement.dataset.scheme=s}catch(e){}`

export const lateScript = `(function(){
var root=document.documentElement,button=document.querySelector('button.scheme');
function dark(){var s=root.dataset.scheme;return s?s==='dark':matchMedia('(prefers-color-scheme: dark)').matches}
function label(){button.textContent=dark()?'Light colours':'Dark colours'}
button.hidden=false;label();
button.addEventListener('click',function(){root.dataset.scheme=dark()?'light':'dark';label();try{localStorage.setItem('datapath-bench-scheme',root.dataset.scheme)}catch(e){}});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change',label);
var tip=document.createElement('div');tip.className='tip';tip.hidden=true;tip.setAttribute('aria-hidden','true');document.body.append(tip);
function hide(){tip.hidden=true}
function show(event){var mark=event.target instanceof Element&&event.target.closest('[data-says]');if(!mark)return hide();
tip.textContent=mark.getAttribute('data-says');tip.hidden=false;
var box=tip.getBoundingClientRect(),x=Math.max(8,Math.min(event.clientX+14,innerWidth-box.width-8)),y=event.clientY+18;
if(y+box.height>innerHeight-8)y=event.clientY-box.height-12;tip.style.left=x+'px';tip.style.top=y+'px'}
addEventListener('pointermove',show);addEventListener('pointerdown',show);addEventListener('scroll',hide,true);
addEventListener('keydown',function(event){if(event.key==='Escape')hide()});
})();`
